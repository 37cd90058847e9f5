//! [`AuditLog`] in the items of a table.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use autoscale_core::data::audit::{Head, Kind, Line};
#[cfg(feature = "s3")]
use autoscale_core::objects::LargeLines;
use autoscale_core::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};
use autoscale_core::words::{ClusterId, HolderId, Span};
use aws_sdk_dynamodb::Client;

use super::item::{self, Item};
use super::line::{self, Elsewhere, Key};
use super::table::{Place, once};
use crate::failure::Failure;
use crate::watch::Watch;

/// How often a place is looked for that nobody else takes.
const TRIES: u32 = 8;

/// An [`AuditLog`] in a DynamoDB table: one item for each entry, under the key `asc#<cluster>` and sorted by time.
///
/// The sort key is the time of the tick, moved on where it would not be the latest: clocks may go back and differ, the log goes on. An
/// entry above 320 KiB is cut into parts, which are items of their own; with the feature `s3` it can be handed to a bucket
/// instead. Either comes before the item that names it, so that an entry is there when all of it is. The first entry of a
/// writer on each day (UTC) is a full one, and all entries of a day expire together: what is left can always be read.
///
/// Take one value for each writer: a value remembers what its last writer wrote, and asks any other for a full entry.
#[derive(Debug)]
pub struct AuditTable {
    place: Place,
    key: String,
    retention: Span,
    /// Entries of more bytes go there.
    #[cfg(feature = "s3")]
    overflow: Option<(usize, LargeLines)>,
    /// Who wrote last through this value, and on which day.
    wrote: Mutex<Option<(HolderId, u64)>>,
}

impl AuditTable {
    /// The log of a cluster in a table whose keys are the text attributes `pk` and `sk`. Entries expire 90 days after the day
    /// they are of, if the table has its time to live on the attribute `expires`.
    pub fn new(client: Client, table: impl Into<String>, cluster: &ClusterId) -> Self {
        let place = Place::new(client, table, "pk", Some("sk"));
        Self {
            place,
            key: format!("asc#{cluster}"),
            retention: Span::from_mins(90 * 24 * 60),
            #[cfg(feature = "s3")]
            overflow: None,
            wrote: Mutex::default(),
        }
    }

    /// Keeps entries so long behind the end of their day.
    #[must_use]
    pub const fn with_retention(mut self, retention: Span) -> Self {
        self.retention = retention;
        self
    }

    /// Hands entries of more bytes than `above` to a bucket (`BucketStore::large`) and leaves their digest here; reading follows it
    /// and checks what it finds. Up to 320 KiB fit one item, and without a bucket larger ones are cut. Whoever reads the log needs
    /// the bucket too. Let a rule of the bucket remove objects later than the table removes their entries.
    #[cfg(feature = "s3")]
    #[must_use]
    pub fn with_overflow(mut self, above: usize, bucket: LargeLines) -> Self {
        self.overflow = Some((above, bucket));
        self
    }

    #[cfg(feature = "s3")]
    pub(super) fn overflow(&self) -> Option<&LargeLines> {
        self.overflow.as_ref().map(|(_, bucket)| bucket)
    }

    /// Looks whether the table has the right keys. Needs the permission `dynamodb:DescribeTable`.
    ///
    /// # Errors
    /// `Invalid` if it has not, `NotFound` if there is none; else as [`read`](AuditLog::read).
    pub async fn check(&self) -> Result<()> {
        self.place.check().await
    }

    /// Whether a difference of this writer has what it differs from in the same day.
    fn has_base(&self, writer: &HolderId, day: u64) -> bool {
        let wrote = self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        wrote.as_ref().is_some_and(|(last, on)| last == writer && *on == day)
    }

    fn attempted(&self, what: &str) -> String {
        format!("{what} {} of table {}", self.key, self.place.table)
    }

    /// Puts one item, whatever is there, or only where nothing is. `false`: something is.
    async fn put(&self, sort: &str, item: Item, only_new: bool) -> Result<bool, Failure> {
        let watch = Watch::new();
        let put = self.place.client.put_item().table_name(&self.place.table).set_item(Some(item));
        let mut put = put.item("pk", item::text(&self.key)).item("sk", item::text(sort));
        if only_new {
            put = put
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", "sk");
        }
        match put.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(service) if service.is_conditional_check_failed_exception() => Ok(false),
                _ => Err(Failure::new(&error, &watch)),
            },
        }
    }

    /// Why a put failed; `otherwise` if it may have been carried out.
    fn refused(&self, failure: Failure, otherwise: ErrorKind) -> Error {
        let certain = self.place.certain(&failure, "dynamodb:PutItem");
        let (kind, hint) = match certain {
            // Nothing is stored, and the writer may come again.
            Some((ErrorKind::NotSent, hint)) => (ErrorKind::Unavailable, hint),
            Some(certain) => certain,
            None => (otherwise, String::new()),
        };
        Error::new(kind, format!("{}{hint}", self.attempted("append to"))).with_source(failure)
    }

    /// Where the newest entry stands.
    async fn newest_key(&self) -> Result<Option<Key>> {
        let found = self.lines(&self.backwards().limit(1)).await?;
        let newest = found.items.first();
        newest.map(|item| line::key(item).ok_or_else(|| self.foreign(item))).transpose()
    }

    /// Stores the parts of an entry, before the item that names them.
    async fn put_parts(&self, key: Key, entry: &Line) -> Result<()> {
        for (sort, part) in line::parts(key, entry, self.retention) {
            // A part alone is no entry: whatever became of it, nothing is stored.
            let put = self.put(&sort, part, false).await;
            put.map_err(|failure| self.refused(failure, ErrorKind::Unavailable))?;
        }
        Ok(())
    }

    /// Puts the text of an entry where it has to be before the item that names it; `None`: into the item itself.
    async fn put_elsewhere(&self, key: Key, entry: &Line) -> Result<Option<Elsewhere>> {
        #[cfg(feature = "s3")]
        if let Some((_, bucket)) = self.overflow.as_ref().filter(|(above, _)| entry.text.len() > *above) {
            bucket.put(entry).await?;
            return Ok(Some(Elsewhere::Object(bucket.path(entry.head.at, entry.head.sum))));
        }
        if !line::is_large(entry) {
            return Ok(None);
        }
        self.put_parts(key, entry).await?;
        Ok(Some(Elsewhere::Parts(key)))
    }

    pub(super) fn foreign(&self, item: &Item) -> Error {
        let name = line::name(item);
        let attempted = format!(
            "{}: the item {name} is none of an audit log. Configure another table or cluster id, or move the item away",
            self.attempted("read")
        );
        Error::new(ErrorKind::Invalid, attempted)
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn partition(&self) -> &str {
        &self.key
    }
}

#[async_trait]
impl AuditLog for AuditTable {
    async fn append(&self, entry: &Line) -> Result<Appended> {
        let mut elsewhere = None;
        for _ in 0..TRIES {
            let key = Key::after(self.newest_key().await?, entry.head.at);
            if entry.head.kind == Kind::Delta && !self.has_base(&entry.head.writer, key.day()) {
                return Ok(Appended::NeedsFull);
            }
            if elsewhere.is_none() {
                elsewhere = self.put_elsewhere(key, entry).await?;
            }
            let head = line::item(key, elsewhere.as_ref(), entry, self.retention);
            match self.put(&key.sort(), head, true).await {
                Ok(true) => {
                    let wrote = Some((entry.head.writer.clone(), key.day()));
                    *self.wrote.lock().unwrap_or_else(PoisonError::into_inner) = wrote;
                    return Ok(Appended::Stored);
                }
                // Somebody else has written meanwhile.
                Ok(false) => {}
                Err(failure) => return Err(self.refused(failure, ErrorKind::Unclear)),
            }
        }
        let attempted = format!("{}: others kept writing", self.attempted("append to"));
        Err(Error::new(ErrorKind::Throttled { retry_after: None }, attempted))
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        self.page(range).await
    }

    async fn newest(&self) -> Result<Option<Head>> {
        let mut from = None;
        loop {
            let found = self.lines(&self.backwards().limit(4).after(from.take())).await?;
            for item in found.visible() {
                line::key(item).ok_or_else(|| self.foreign(item))?;
                // An entry that cannot be read is not the newest one.
                if let Ok(entry) = Line::read(&self.text(item).await?) {
                    return Ok(Some(entry.head));
                }
            }
            match found.next {
                Some(next) => from = Some(next),
                None => return Ok(None),
            }
        }
    }
}
