//! Reading an audit log from a DynamoDB table, and what of it is in a bucket.

mod bucket;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use autoscale_aws::dynamodb::{Absent, AuditTable, Stored, Why};
use autoscale_core::data::audit::{Broken, Entry, Head, Read, Reader};
use autoscale_core::ports::AuditRange;
use autoscale_core::words::{ClusterId, ConfigErrors, HolderId, Timestamp};
use aws_config::BehaviorVersion;
use clap::Args;

use crate::audit::{Seen, Stopped};
use crate::bad::Bad;
use bucket::Bucket;

/// Entries of more bytes would be put into the bucket: this only reads.
const ABOVE: usize = usize::MAX;

/// The log of a cluster in a table.
#[derive(Args, Clone, Debug)]
pub(crate) struct TableLog {
    /// The log in this DynamoDB table, in place of a file; region and credentials are those of the environment
    #[arg(long, value_name = "TABLE", conflicts_with = "file", requires = "cluster")]
    dynamodb: Option<String>,

    /// The cluster whose log it is, as its policy calls it
    #[arg(long, value_name = "CLUSTER", requires = "dynamodb")]
    cluster: Option<String>,

    /// Where entries are that are too large for the table: what STATE_S3 says to the function
    ///
    /// Such an entry is an object below path/autoscale/CLUSTER.large/, and checked against the digest in the table. Without
    /// this it is named and left out.
    #[arg(long, value_name = "s3://BUCKET/PATH", requires = "dynamodb")]
    large: Option<String>,
}

/// An entry of a table.
pub(crate) enum Found {
    /// Here it is.
    Entry(Box<(Head, Entry<'static>)>),
    /// It is of that time, and in a bucket that was not named.
    Elsewhere(Timestamp),
}

/// A table that can be asked.
struct Asked {
    log: AuditTable,
    bucket: Option<Bucket>,
}

impl TableLog {
    /// The table, if one was named.
    pub(crate) fn name(&self) -> Option<PathBuf> {
        self.dynamodb.as_ref().map(PathBuf::from)
    }

    /// Everything that is wrong with it, or what can be asked.
    async fn ask(&self, table: &str) -> Result<Asked, Bad> {
        let mut errors = ConfigErrors::new();
        let cluster = self.cluster.as_deref().unwrap_or_default();
        let found = ClusterId::new(cluster);
        if let Err(error) = &found {
            errors.wrong("--cluster", cluster, error.expected);
        }
        let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
        let bucket = self.large.as_ref();
        let bucket = bucket.and_then(|large| Bucket::open(large, found.as_ref().ok(), &config, &mut errors));
        let bucket = errors.or(bucket).map_err(|errors| Bad::settings(&errors))?;
        let cluster = found.map_err(|error| Bad::whole(Path::new(table), error.to_string()))?;
        let log = AuditTable::new(aws_sdk_dynamodb::Client::new(&config), table, &cluster);
        let log = match &bucket {
            Some(bucket) => log.with_overflow(ABOVE, bucket.large.clone()),
            None => log,
        };
        Ok(Asked { log, bucket })
    }

    /// Reads the log, oldest first. `see` is told each entry, and stops by an answer.
    ///
    /// # Errors
    /// Table or bucket cannot be read, or hold something else; or the log is damaged.
    pub(crate) fn read<T>(&self, see: impl FnMut(Found) -> Option<T>) -> Result<Result<Seen, T>, Stopped> {
        let table = self.dynamodb.as_deref().unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| foreign(table, error.to_string()))?;
        runtime.block_on(async {
            let asked = self.ask(table).await.map_err(Stopped::Foreign)?;
            read(table, &asked, see).await
        })
    }
}

async fn read<T>(
    table: &str,
    asked: &Asked,
    mut see: impl FnMut(Found) -> Option<T>,
) -> Result<Result<Seen, T>, Stopped> {
    let damaged = |broken: Broken| Stopped::Damaged(Bad::whole(Path::new(table), broken.to_string()));
    let (mut reader, mut range, mut seen) = (Reader::new(), AuditRange::all(), Seen::default());
    // Whose differences are to an entry that was left out.
    let mut bereft: BTreeSet<HolderId> = BTreeSet::new();
    loop {
        let page = asked.log.entries(&range).await.map_err(|error| foreign(table, error.chain()))?;
        for stored in page.entries {
            let line = match stored {
                Stored::Line(line) => line,
                Stored::Absent(absent) => {
                    asked.miss(table, &absent)?;
                    reader.absent(&absent.writer, absent.n, absent.sum).map_err(damaged)?;
                    seen.elsewhere.push(told(&absent));
                    let at = absent.at;
                    bereft.insert(absent.writer);
                    if let Some(stop) = see(Found::Elsewhere(at)) {
                        return Ok(Err(stop));
                    }
                    continue;
                }
                _ => return Err(foreign(table, "an entry of a kind that this does not know".to_owned())),
            };
            match reader.line(&line).map_err(damaged)? {
                Read::Entry(entry) => {
                    seen.entries += 1;
                    bereft.remove(&entry.0.writer);
                    if let Some(stop) = see(Found::Entry(entry)) {
                        return Ok(Err(stop));
                    }
                }
                Read::Torn => seen.torn += 1,
                Read::NoBase(head) => {
                    seen.baseless += 1;
                    seen.lost += u64::from(bereft.contains(&head.writer));
                }
                _ => seen.baseless += 1,
            }
        }
        match page.next {
            Some(next) => range.after = Some(next),
            None => break,
        }
    }
    reader.finish().map_err(damaged)?;
    if seen.entries + seen.baseless == 0 && seen.elsewhere.is_empty() {
        return Err(foreign(table, "no entry of an audit log in it".to_owned()));
    }
    Ok(Ok(seen))
}

impl Asked {
    /// Whether the log can be gone on with behind an entry that is not here: nobody has looked for it.
    fn miss(&self, table: &str, absent: &Absent) -> Result<(), Stopped> {
        let why = match (&absent.why, &self.bucket) {
            (Why::NoBucket, _) => return Ok(()),
            (Why::Gone, Some(bucket)) => {
                format!("{absent}: nothing is at {}", bucket.place_of(absent.at, absent.sum))
            }
            _ => absent.to_string(),
        };
        Err(Stopped::Damaged(Bad::whole(Path::new(table), why)))
    }
}

/// Where an entry is that was left out.
fn told(absent: &Absent) -> String {
    let Absent { at, n, writer, object, .. } = absent;
    format!("the entry of {at}, {n} of {writer}, is the object {object}")
}

fn foreign(table: &str, why: String) -> Stopped {
    Stopped::Foreign(Bad::whole(Path::new(table), why))
}
