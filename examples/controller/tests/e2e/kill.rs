//! A client whose process dies at one of its requests: before it is sent, or after it was carried out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::sync::Notify;

/// When a process dies.
#[derive(Clone, Debug)]
pub(crate) struct Fuse {
    /// At this request, from 1; never, if zero.
    pub(crate) at: u64,
    /// Before it is sent, or after it was carried out.
    pub(crate) sent: bool,
    /// Requests so far.
    pub(crate) count: Arc<AtomicU64>,
    /// Told when it has died.
    pub(crate) dead: Arc<Notify>,
}

impl Fuse {
    pub(crate) fn new(at: u64, sent: bool) -> Self {
        Self { at, sent, count: Arc::default(), dead: Arc::default() }
    }

    /// A client that dies with it: from then on it sends nothing and hears nothing.
    pub(crate) fn client(&self, inner: Client) -> Client {
        let fuse = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (fuse, inner) = (fuse.clone(), inner.clone());
            async move { fuse.send(inner, request).await }
        });
        Client::new(service, "default")
    }

    async fn send(&self, inner: Client, request: Request<Body>) -> Result<Response<Body>, kube::Error> {
        self.pass(inner.send(request)).await
    }

    /// Lets a request pass, of whatever service, if the process lives.
    pub(crate) async fn pass<T>(&self, request: impl Future<Output = T>) -> T {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let dies = self.at > 0 && number >= self.at;
        if !dies {
            return request.await;
        }
        if number == self.at && self.sent {
            // It is carried out, and nobody is there for the answer.
            drop(request.await);
        }
        self.dead.notify_one();
        std::future::pending().await
    }
}

/// Draws numbers; the same seed draws the same.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From zero to below `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}
