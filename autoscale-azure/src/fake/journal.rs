//! What was asked.

use super::route::Call;

/// One request that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// `GET`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its query.
    pub query: String,
    /// Its `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The status of the answer, also of one that was lost; 0 for a request that was lost itself or is still under way.
    pub status: u16,
}

impl Entry {
    pub(super) fn new(call: &Call, status: u16) -> Self {
        Self {
            method: call.method.clone(),
            path: call.url.path().to_owned(),
            query: call.url.query().unwrap_or_default().to_owned(),
            if_none_match: call.if_none_match.clone(),
            status,
        }
    }
}
