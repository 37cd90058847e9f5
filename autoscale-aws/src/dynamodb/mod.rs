//! The record in one item of a DynamoDB table, and the audit log in the items of another.
//!
//! # Tables
//!
//! | table | key | what it needs |
//! |---|---|---|
//! | record | `pk` (text) | nothing else; no time to live on our item; one region, or a global table of strong consistency |
//! | audit log | `pk` (text), `sk` (text) | time to live on the attribute `expires` |
//!
//! A global table whose regions replicate later lets the last writer win, so that two regions would each believe to have the
//! record: [`TableStore::check`] refuses it.
//!
//! # Permissions
//!
//! `dynamodb:GetItem` and `dynamodb:PutItem` on the record's table, `dynamodb:PutItem` and `dynamodb:Query` on the audit log's,
//! both under the condition that `dynamodb:LeadingKeys` begins with `asc#<cluster>`; `dynamodb:DescribeTable` only for the checks.
//!
//! # Large entries
//!
//! An entry of the audit log above 320 KiB is cut into several items. With the feature `s3` entries above a size of your choice are
//! handed to a bucket instead (`AuditTable::with_overflow`): the object is put first, and the item keeps its name and the entry's
//! SHA-256, by which it is checked whenever it is read; [`AuditTable::entries`] goes on where one cannot be had. That needs
//! `s3:PutObject` to write and `s3:GetObject` to read, as the module `s3` says.
//!
//! # Requests
//!
//! Each is sent once: the SDK's own repeats are switched off, whatever the client's configuration says. A write that may have
//! left and was not answered for certain is unclear.

mod absent;
mod audit;
mod item;
mod line;
mod read;
mod store;
mod table;

pub use absent::{Absent, Stored, TablePage, Why};
pub use audit::AuditTable;
pub use store::TableStore;
