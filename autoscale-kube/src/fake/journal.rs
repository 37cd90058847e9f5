//! What was asked of the server.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::words::Timestamp;

use super::access::Permission;

/// One request that reached the server, also one whose answer was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// When, in virtual time.
    pub at: Timestamp,
    /// Whose; empty if that is not known.
    pub user: String,
    /// As RBAC calls it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    /// Such as `pods`.
    pub resource: String,
    /// Such as `eviction`.
    pub subresource: Option<String>,
    /// Where, for kinds that are in a namespace.
    pub namespace: Option<String>,
    /// Of which object.
    pub name: Option<String>,
    /// The parameters, as they were sent.
    pub query: String,
    /// The status of the answer; 0 if none was given.
    pub status: u16,
    /// The bytes of the answer's body. A watch grows.
    pub bytes: u64,
}

impl Entry {
    /// What RBAC had to allow.
    pub fn permission(&self) -> Permission {
        let resource = match &self.subresource {
            Some(sub) => format!("{}/{sub}", self.resource),
            None => self.resource.clone(),
        };
        Permission::new(self.verb.clone(), self.group.clone(), resource)
    }
}

/// How often, and how much.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub struct Count {
    /// Requests.
    pub requests: u64,
    /// Bytes of the bodies of their answers.
    pub bytes: u64,
}

/// All requests.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) entries: Vec<Entry>,
    pub(super) counts: BTreeMap<Permission, Count>,
}

impl Journal {
    /// Notes a request; gives its number.
    pub(super) fn note(&mut self, entry: Entry) -> usize {
        let count = self.counts.entry(entry.permission()).or_default();
        count.requests += 1;
        count.bytes += entry.bytes;
        self.entries.push(entry);
        self.entries.len() - 1
    }

    /// Notes that more of an answer was sent.
    pub(super) fn grow(&mut self, number: usize, bytes: u64) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.bytes += bytes;
            self.counts.entry(entry.permission()).or_default().bytes += bytes;
        }
    }

    /// What a user was allowed and used.
    pub(super) fn used(&self, user: &str) -> BTreeSet<Permission> {
        let allowed =
            |entry: &&Entry| entry.user == user && entry.status != 403 && !entry.resource.is_empty();
        self.entries.iter().filter(allowed).map(Entry::permission).collect()
    }
}
