//! A client of the Kubernetes API that logs in with a parameter.

use std::sync::Arc;

use autoscale_aws::ssm::{Secret, SecretParameter};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tower::service_fn;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The same client, logging in with the token that is in the parameter. A token that is refused is fetched anew, and if it is
/// another one by now, the request is sent once more: a refused one was not carried out.
pub fn authenticated(client: Client, token: SecretParameter) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, token) = (client.clone(), token.clone());
        async move { send(&client, &token, request).await }
    });
    Client::new(service, namespace)
}

async fn send(
    client: &Client,
    token: &SecretParameter,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let secret = token.get().await?;
    let mut once = Request::from_parts(head.clone(), Body::from(body.to_vec()));
    once.headers_mut().insert(AUTHORIZATION, bearer(&secret)?);
    let answer = client.send(once).await?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    token.refused(&secret);
    let renewed = token.get().await?;
    if *renewed == *secret {
        return Ok(answer);
    }
    tracing::info!("the token for the Kubernetes API was rotated");
    let mut again = Request::from_parts(head, Body::from(body.to_vec()));
    again.headers_mut().insert(AUTHORIZATION, bearer(&renewed)?);
    Ok(client.send(again).await?)
}

/// Marked, so that nothing shows it.
fn bearer(secret: &Arc<Secret>) -> Result<HeaderValue, BoxError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", secret.expose()));
    // The cause could show what was tried.
    let mut value =
        value.map_err(|_| BoxError::from("the token for the Kubernetes API is no text for a header"))?;
    value.set_sensitive(true);
    Ok(value)
}
