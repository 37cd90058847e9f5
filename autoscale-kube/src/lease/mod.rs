//! [`StateStore`] in an annotation of one Lease.
//!
//! The record is the annotation `autoscale.local/record`; the holder of the record's lease and its version are shown in the
//! Lease's spec, for `kubectl get lease` and for people. Only the object's uid and resource version decide who wins.
//!
//! The Lease may be made beforehand, which lets the permission be bound to its name: `get` and `update` are then enough.
//! Where it is not there it is created, which needs `create` on leases in the namespace. A Lease without the annotation is as
//! good as none.

use async_trait::async_trait;
use autoscale_core::ports::{Error, ErrorKind, Expected, Loaded, Sealed, StateStore, Swapped, Version};
use autoscale_core::words::Timestamp;
use serde_json::{Map, Value, json};

use crate::Connection;
use crate::connection::{Answer, silent};
use crate::request::{get, is_dns, part, post, put};

/// All annotations of one object together, by the API server's rule, in bytes.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// Says whose it is, for people.
const NOTE: &str = "the record of an autoscaler: do not edit; delete to have it rebuilt from what is running";

/// A Lease that holds the record.
#[derive(Clone, Debug)]
pub struct LeaseStore {
    connection: Connection,
    namespace: String,
    name: String,
    annotation: String,
}

impl LeaseStore {
    /// The Lease of that name in that namespace.
    ///
    /// # Errors
    /// `Invalid`: a name or a namespace that Kubernetes would not accept.
    pub fn new(connection: Connection, namespace: &str, name: &str) -> Result<Self, Error> {
        for (what, text) in [("namespace", namespace), ("Lease", name)] {
            if !is_dns(text) {
                let why =
                    format!("{what} \"{text}\": expected lower-case letters, digits, dots and inner dashes");
                return Err(Error::new(ErrorKind::Invalid, why));
            }
        }
        let annotation = "autoscale.local/record".to_owned();
        Ok(Self { connection, namespace: namespace.to_owned(), name: name.to_owned(), annotation })
    }

    fn all(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", part(&self.namespace))
    }

    fn one(&self) -> String {
        format!("{}/{}", self.all(), part(&self.name))
    }

    /// The Lease as it is, if it is there.
    async fn read(&self) -> Result<Option<(Value, Option<Timestamp>)>, Error> {
        let attempted = format!("read Lease {}/{}", self.namespace, self.name);
        let answer = self.connection.send(get(&self.one(), &[])).await;
        let answer = answer.map_err(|silence| silent(silence, &attempted, false))?;
        match answer.failure() {
            Some(failure) if failure.code == 404 && failure.details.kind == "leases" => return Ok(None),
            Some(failure) => return Err(failure.into_error(&attempted, "get leases", false)),
            None => {}
        }
        let lease =
            answer.parse().map_err(|e| Error::new(ErrorKind::Unavailable, &attempted).with_source(e))?;
        Ok(Some((lease, answer.date)))
    }

    fn record<'l>(&self, lease: &'l Value) -> Option<&'l str> {
        lease.pointer("/metadata/annotations")?.get(&self.annotation)?.as_str()
    }

    /// The Lease with the record in it; everything else that somebody has put there stays.
    fn with(&self, lease: Option<Value>, sealed: &Sealed, text: &str, now: Option<Timestamp>) -> Value {
        let fresh = || {
            json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": { "name": self.name, "namespace": self.namespace } })
        };
        let mut lease = object(Some(lease.unwrap_or_else(fresh)));
        let mut metadata = object(lease.remove("metadata"));
        let mut annotations = object(metadata.remove("annotations"));
        annotations.insert(self.annotation.clone(), text.into());
        annotations.insert("autoscale.local/note".to_owned(), NOTE.into());
        annotations.insert("autoscale.local/version".to_owned(), sealed.ver.get().to_string().into());
        annotations.insert("autoscale.local/under-way".to_owned(), sealed.summary.text.clone().into());
        metadata.insert("annotations".to_owned(), annotations.into());
        lease.insert("metadata".to_owned(), metadata.into());
        let mut spec = object(lease.remove("spec"));
        let holder = sealed.summary.holder.as_ref().map(|holder| Value::from(holder.as_str()));
        spec.insert("holderIdentity".to_owned(), holder.unwrap_or(Value::Null));
        let transitions = i32::try_from(sealed.ver.get()).unwrap_or(i32::MAX);
        spec.insert("leaseTransitions".to_owned(), transitions.into());
        if let Some(now) = now {
            spec.insert("renewTime".to_owned(), crate::time::micros(now).into());
        }
        lease.insert("spec".to_owned(), spec.into());
        lease.into()
    }
}

/// The members of an object; none of what is not one.
fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// The uid and the resource version of a Lease: a Lease that was deleted and made again has another uid.
fn version(lease: &Value) -> Option<Version> {
    let text = |pointer: &str| lease.pointer(pointer)?.as_str();
    Some(Version::new(format!("{}/{}", text("/metadata/uid")?, text("/metadata/resourceVersion")?)))
}

fn loaded(store: &LeaseStore, lease: &Value, date: Option<Timestamp>) -> Option<Loaded> {
    let record = store.record(lease)?;
    let mut loaded = Loaded::new(version(lease)?, record.as_bytes().to_vec());
    loaded.store_time = date;
    Some(loaded)
}

#[async_trait]
impl StateStore for LeaseStore {
    async fn load(&self) -> Result<Option<Loaded>, Error> {
        Ok(self.read().await?.and_then(|(lease, date)| loaded(self, &lease, date)))
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped, Error> {
        let attempted = format!("write Lease {}/{}", self.namespace, self.name);
        let text = std::str::from_utf8(&sealed.bytes).map_err(|error| {
            Error::new(ErrorKind::Invalid, "store a record that is no text").with_source(error)
        })?;
        if text.len() + 1_024 + sealed.summary.text.len() > MAX_ANNOTATIONS {
            let why = format!("store a record of {} bytes: the limit is {MAX_ANNOTATIONS}", text.len());
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        // What else is in the Lease has to be written back. The write is refused if anything has changed since.
        let (lease, date) = match self.read().await? {
            Some((lease, date)) => (Some(lease), date),
            None => (None, None),
        };
        let current = lease.as_ref().and_then(|lease| loaded(self, lease, date));
        let fits = match (expected, &current) {
            (Expected::Absent, None) => true,
            (Expected::At(version), Some(current)) => *version == current.version,
            _ => false,
        };
        if !fits {
            return Ok(Swapped::Lost(current));
        }
        let is_new = lease.is_none();
        let body = self.with(lease, sealed, text, date);
        let request = if is_new { post(&self.all(), &body) } else { put(&self.one(), &body) };
        let Ok(answer) = self.connection.send(request).await else {
            return Ok(Swapped::Unknown { why: format!("{attempted}: no answer") });
        };
        self.judge(&answer, &attempted, is_new)
    }
}

impl LeaseStore {
    fn judge(&self, answer: &Answer, attempted: &str, is_new: bool) -> Result<Swapped, Error> {
        let Some(failure) = answer.failure() else {
            let lease: Option<Value> = answer.parse().ok();
            return Ok(match lease.as_ref().and_then(version) {
                Some(version) => Swapped::Applied(version),
                None => Swapped::Unknown { why: format!("{attempted}: the answer cannot be read") },
            });
        };
        match failure.code {
            // Somebody was faster: another version, another object, or none.
            409 => Ok(Swapped::Lost(None)),
            404 if !is_new => Ok(Swapped::Lost(None)),
            500.. => Ok(Swapped::Unknown { why: format!("{attempted}: {}", failure.message) }),
            _ => {
                let action = if is_new { "create leases" } else { "update leases" };
                Err(failure.into_error(attempted, action, true))
            }
        }
    }
}
