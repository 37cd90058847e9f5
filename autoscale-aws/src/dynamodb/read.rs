//! Reading entries of the audit log.

#[cfg(feature = "s3")]
use autoscale_core::data::audit::Broken;
use autoscale_core::data::audit::Line;
#[cfg(feature = "s3")]
use autoscale_core::objects::Fetched;
use autoscale_core::ports::{AuditPage, AuditRange, Error, ErrorKind, Result};
use autoscale_core::words::{Timestamp, truncated};
use aws_sdk_dynamodb::types::AttributeValue;

use super::AuditTable;
use super::absent::{Absent, Stored, TablePage, Why};
use super::item::{self, Item};
use super::line::{self, Kept, Key};
use super::table::once;
use crate::failure::Failure;
use crate::watch::Watch;

/// What is asked of the items of one log: their sort keys, both included.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    from: String,
    until: String,
    backwards: bool,
    limit: Option<i32>,
    /// Times of entries to leave out on the other side already.
    times: Option<(i64, i64)>,
    after: Option<Item>,
}

impl Ask {
    fn between(from: impl Into<String>, until: impl Into<String>) -> Self {
        let (from, until) = (from.into(), until.into());
        Self { from, until, backwards: false, limit: None, times: None, after: None }
    }

    pub(super) const fn limit(mut self, most: i32) -> Self {
        self.limit = Some(most);
        self
    }

    pub(super) fn after(mut self, after: Option<Item>) -> Self {
        self.after = after;
        self
    }
}

/// Some items, and where the next ones begin.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<Item>,
    /// The service's clock.
    date: Option<Timestamp>,
}

impl Found {
    /// Those that have not expired: the service removes them up to days later, one by one and in any order.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !self.date.is_some_and(|date| line::is_expired(item, date)))
    }
}

impl AuditTable {
    /// All entries, the newest first.
    pub(super) fn backwards(&self) -> Ask {
        Ask { backwards: true, ..Ask::between(Key::FIRST.sort(), Key::LAST.sort()) }
    }

    /// One page of what is asked for, as it is now.
    pub(super) async fn lines(&self, ask: &Ask) -> Result<Found> {
        let (watch, place) = (Watch::new(), self.place());
        let query = place.client.query().table_name(&place.table).consistent_read(true);
        let mut query = query
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_names("#sk", "sk")
            .expression_attribute_values(":pk", item::text(self.partition()))
            .expression_attribute_values(":first", item::text(&ask.from))
            .expression_attribute_values(":last", item::text(&ask.until))
            .scan_index_forward(!ask.backwards)
            .set_limit(ask.limit)
            .set_exclusive_start_key(ask.after.clone());
        if let Some((from, until)) = ask.times {
            query = query
                .filter_expression("attribute_not_exists(#at) OR #at BETWEEN :from AND :until")
                .expression_attribute_names("#at", line::AT)
                .expression_attribute_values(":from", item::number(from))
                .expression_attribute_values(":until", item::number(until));
        }
        let answer = query.customize().config_override(once()).interceptor(watch.clone()).send().await;
        let answer = answer.map_err(|error| {
            let attempted = format!("read {} of table {}", self.partition(), place.table);
            place.looking(Failure::new(&error, &watch), &attempted, "dynamodb:Query")
        })?;
        let next = answer.last_evaluated_key.filter(|key| !key.is_empty());
        Ok(Found { items: answer.items.unwrap_or_default(), next, date: watch.date() })
    }

    /// The text of an entry, all there is of it; or why it cannot be had.
    async fn stored(&self, item: &Item) -> Result<Stored> {
        let (prefix, count) = match line::kept(item) {
            Kept::Here(line) => return Ok(Stored::Line(line.as_bytes().to_vec())),
            Kept::Parts(prefix, count) => (prefix, count),
            Kept::Object(absent) => return self.fetch(absent).await,
            Kept::Nowhere => {
                return Ok(Stored::Line(Line::missing(&format_args!(
                    "item {}: no text, no parts and no object",
                    line::name(item)
                ))));
            }
        };
        let last = line::part_sort(prefix, count.saturating_sub(1));
        let (mut text, mut ask) = (Vec::new(), Ask::between(line::part_sort(prefix, 0), last));
        loop {
            let found = self.lines(&ask).await?;
            text.extend(found.items.iter().filter_map(line::part).flat_map(str::bytes));
            match found.next {
                Some(next) => ask.after = Some(next),
                None => return Ok(Stored::Line(text)),
            }
        }
    }

    /// The text of an entry that was handed to a bucket, checked against the digest that was left here.
    #[cfg(feature = "s3")]
    async fn fetch(&self, absent: Box<Absent>) -> Result<Stored> {
        let Some(large) = self.overflow() else { return Ok(Stored::Absent(absent)) };
        let why = match large.get(absent.at, absent.sum).await? {
            Fetched::Whole(entry) => return Ok(Stored::Line(entry.text.into_bytes())),
            Fetched::Gone => Why::Gone,
            Fetched::Damaged(broken) => Why::Damaged(broken),
            _ => Why::Damaged(Broken::NotALine { why: "it cannot be read".to_owned() }),
        };
        Ok(Stored::Absent(Box::new(Absent { why, ..*absent })))
    }

    #[cfg(not(feature = "s3"))]
    #[allow(clippy::unused_async, reason = "with a bucket it asks")]
    async fn fetch(&self, absent: Box<Absent>) -> Result<Stored> {
        Ok(Stored::Absent(absent))
    }

    /// The line of an entry; what is wrong with it where there is none.
    fn line(&self, stored: Stored) -> Result<Vec<u8>> {
        match stored {
            Stored::Line(line) => Ok(line),
            Stored::Absent(absent) if absent.why == Why::NoBucket => {
                let (log, table) = (self.partition(), &self.place().table);
                let attempted = format!("read {log} of table {table}: {absent}. Give this log the bucket");
                Err(Error::new(ErrorKind::Invalid, attempted))
            }
            Stored::Absent(absent) => Ok(Line::missing(&absent)),
        }
    }

    /// The text of an entry: all there is of it.
    pub(super) async fn text(&self, item: &Item) -> Result<Vec<u8>> {
        self.line(self.stored(item).await?)
    }

    pub(super) async fn page(&self, range: &AuditRange) -> Result<AuditPage> {
        let TablePage { entries, next } = self.entries(range).await?;
        let lines: Result<_> = entries.into_iter().map(|stored| self.line(stored)).collect();
        Ok(AuditPage::new(lines?, next))
    }

    /// Reads entries as [`read`](autoscale_core::ports::AuditLog::read) does, and goes on where one is in a bucket and cannot be had.
    ///
    /// # Errors
    /// `Throttled`, `Denied`, `Unavailable`, of the table or the bucket; `Invalid` for an `after` that is not from here.
    pub async fn entries(&self, range: &AuditRange) -> Result<TablePage> {
        let from = match &range.after {
            None => Key::after(None, range.from.unwrap_or(Timestamp::from_millis(0))),
            Some(after) => Key::parse(after).map(Key::next).ok_or_else(|| {
                let after = truncated(after, 40);
                Error::new(
                    ErrorKind::Invalid,
                    format!("read the audit log behind {after}, which it has not named"),
                )
            })?,
        };
        let most = range.most.max(1);
        let mut ask = Ask::between(from.sort(), Key::LAST.sort());
        if range.from.is_some() || range.until.is_some() {
            let millis = |time: Option<Timestamp>, open: i64| time.map_or(open, Timestamp::as_millis);
            ask.times = Some((millis(range.from, 0), millis(range.until, i64::MAX)));
        } else {
            ask.limit = i32::try_from(most.saturating_add(1)).ok();
        }
        let mut page = TablePage::default();
        let mut last = None;
        loop {
            let found = self.lines(&ask).await?;
            for item in found.visible() {
                if page.entries.len() >= most {
                    page.next = last;
                    return Ok(page);
                }
                page.entries.push(self.stored(item).await?);
                last = sort(item);
            }
            match found.next {
                Some(next) => ask.after = Some(next),
                None => return Ok(page),
            }
        }
    }
}

/// The sort key of an item.
fn sort(item: &Item) -> Option<String> {
    match item.get("sk") {
        Some(AttributeValue::S(sort)) => Some(sort.clone()),
        _ => None,
    }
}
