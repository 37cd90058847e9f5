//! Requests, as bytes: pure, each sent once.

use http::{Method, Request, header};
use serde_json::Value;

/// How a patch is to be read.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// Asks for something. The query is encoded here.
pub(crate) fn get(path: &str, query: &[(&str, &str)]) -> Request<Vec<u8>> {
    build(Method::GET, &with_query(path, query), None)
}

/// Creates something.
pub(crate) fn post(path: &str, body: &Value) -> Request<Vec<u8>> {
    build(Method::POST, path, Some(("application/json", body)))
}

/// Replaces something.
pub(crate) fn put(path: &str, body: &Value) -> Request<Vec<u8>> {
    build(Method::PUT, path, Some(("application/json", body)))
}

/// Changes a part of something.
pub(crate) fn patch(path: &str, body: &Value) -> Request<Vec<u8>> {
    build(Method::PATCH, path, Some((MERGE_PATCH, body)))
}

/// Deletes something.
pub(crate) fn delete(path: &str, body: &Value) -> Request<Vec<u8>> {
    build(Method::DELETE, path, Some(("application/json", body)))
}

/// One part of a path: what has a meaning in paths is escaped.
pub(crate) fn part(text: &str) -> String {
    encoded(text)
}

fn build(method: Method, path: &str, body: Option<(&str, &Value)>) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    *request.method_mut() = method;
    // Every path here is made of fixed text and of parts that `encoded` has escaped: it is a valid one.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    if let Some((kind, body)) = body {
        if let Ok(kind) = header::HeaderValue::from_str(kind) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        *request.body_mut() = body.to_string().into_bytes();
    }
    request
}

fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    for (number, (key, value)) in query.iter().enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        text.push_str(&encoded(value));
    }
    text
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Whether a text is a DNS name as Kubernetes wants it: labels of lower-case letters, digits and inner dashes, 253 bytes at most.
pub(crate) fn is_dns(text: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_path_is_escaped() {
        let query = [("fieldSelector", "spec.nodeName=a b"), ("continue", "x/y+z&limit=9")];
        let request = get(&format!("/api/v1/nodes/{}", part("../../secrets?x#y")), &query);
        let uri = "/api/v1/nodes/..%2F..%2Fsecrets%3Fx%23y\
                   ?fieldSelector=spec.nodeName%3Da%20b&continue=x%2Fy%2Bz%26limit%3D9";
        assert_eq!(request.uri().to_string(), uri);
    }
}
