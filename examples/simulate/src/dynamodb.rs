//! Reading an audit log from a DynamoDB table.

use std::path::Path;

use autoscale_aws::dynamodb::AuditTable;
use autoscale_core::data::audit::{Entry, Head, Read, Reader};
use autoscale_core::ports::{AuditLog, AuditRange};
use autoscale_core::words::ClusterId;
use aws_config::BehaviorVersion;

use crate::audit::Stopped;
use crate::bad::Bad;

/// Hands every entry of a cluster's log to `see`, oldest first. Region, credentials and endpoint are those of the environment.
///
/// # Errors
/// The table cannot be read, or holds something else; or the log is damaged.
pub(crate) fn read(
    table: &str,
    cluster: &ClusterId,
    mut see: impl FnMut(Head, Entry<'static>),
) -> Result<(), Stopped> {
    let foreign = |why: String| Stopped::Foreign(Bad::whole(Path::new(table), why));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| foreign(error.to_string()))?;
    runtime.block_on(async {
        let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
        let log = AuditTable::new(aws_sdk_dynamodb::Client::new(&config), table, cluster);
        let (mut reader, mut range) = (Reader::new(), AuditRange::all());
        loop {
            let page = log.read(&range).await.map_err(|error| foreign(error.chain()))?;
            for line in &page.lines {
                let read = reader.line(line);
                let damaged = |why: String| Stopped::Damaged(Bad::whole(Path::new(table), why));
                if let Read::Entry(entry) = read.map_err(|broken| damaged(broken.to_string()))? {
                    let (head, entry) = *entry;
                    see(head, entry);
                }
            }
            match page.next {
                Some(next) => range.after = Some(next),
                None => return Ok(()),
            }
        }
    })
}
