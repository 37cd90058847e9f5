//! An object store on a bad line: what is planned happens to the next put.
#![allow(dead_code, reason = "not every test that has an object store plans faults")]

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is carried out, and the client sends it once more.
    Repeated,
    /// It never arrives.
    RequestLost,
    /// It is refused.
    Denied,
    /// It is refused because another one is under way.
    Conflict,
}

/// Another store behind a line, which counts what is sent.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) store: Arc<dyn ObjectStore>,
    faults: Mutex<VecDeque<Fault>>,
    sent: Mutex<Vec<&'static str>>,
    blind: bool,
}

impl Line {
    pub(crate) fn new(store: impl ObjectStore) -> Arc<Self> {
        Arc::new(Self::to(Arc::new(store), false))
    }

    /// The same store, whose listings show nothing here.
    pub(crate) fn blind(of: &Self) -> Arc<Self> {
        Arc::new(Self::to(of.store.clone(), true))
    }

    fn to(store: Arc<dyn ObjectStore>, blind: bool) -> Self {
        Self { store, faults: Mutex::default(), sent: Mutex::default(), blind }
    }

    pub(crate) fn plan(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// What was sent since the last call.
    pub(crate) fn sent(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    fn send(&self, what: &'static str) {
        self.sent.lock().unwrap().push(what);
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Line {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.send("put");
        let fault = self.faults.lock().unwrap().pop_front();
        let lost = || Error::Generic { store: "line", source: "connection reset by peer".into() };
        match fault {
            None => self.store.put_opts(path, payload, options).await,
            Some(Fault::AnswerLost) => {
                let _ = self.store.put_opts(path, payload, options).await;
                Err(lost())
            }
            Some(Fault::Repeated) => {
                let _ = self.store.put_opts(path, payload.clone(), options.clone()).await;
                self.store.put_opts(path, payload, options).await
            }
            Some(Fault::RequestLost) => Err(lost()),
            Some(Fault::Denied) => {
                Err(Error::PermissionDenied { path: path.to_string(), source: "not you".into() })
            }
            Some(Fault::Conflict) => {
                Err(Error::AlreadyExists { path: path.to_string(), source: "409".into() })
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.send("get");
        self.store.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.send("delete");
        self.store.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.send("list");
        if self.blind {
            return Box::pin(stream::empty());
        }
        self.store.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.send("list behind");
        if self.blind {
            return Box::pin(stream::empty());
        }
        self.store.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.send("folders");
        let mut found = self.store.list_with_delimiter(prefix).await?;
        if self.blind {
            found.common_prefixes.clear();
            found.objects.clear();
        }
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
