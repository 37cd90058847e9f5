//! Reading entries of the audit log.

use autoscale_core::data::audit::Sum;
#[cfg(feature = "s3")]
use autoscale_core::objects::Fetched;
use autoscale_core::ports::{AuditPage, AuditRange, Error, ErrorKind, Result};
use autoscale_core::words::{Timestamp, truncated};
use aws_sdk_dynamodb::types::AttributeValue;

use super::AuditTable;
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

    /// The text of an entry: all there is of it.
    pub(super) async fn text(&self, item: &Item) -> Result<Vec<u8>> {
        let (prefix, count) = match line::kept(item) {
            Kept::Here(line) => return Ok(line.as_bytes().to_vec()),
            Kept::Parts(prefix, count) => (prefix, count),
            Kept::Object(name, at, sum) => return self.fetch(item, name, (at, sum)).await,
            Kept::Nowhere => return Ok(format!("no entry: item {}", line::name(item)).into_bytes()),
        };
        let last = line::part_sort(prefix, count.saturating_sub(1));
        let (mut text, mut ask) = (Vec::new(), Ask::between(line::part_sort(prefix, 0), last));
        loop {
            let found = self.lines(&ask).await?;
            text.extend(found.items.iter().filter_map(line::part).flat_map(str::bytes));
            match found.next {
                Some(next) => ask.after = Some(next),
                None => return Ok(text),
            }
        }
    }

    /// The text of an entry that was handed to a bucket, checked against the digest that was left here.
    #[cfg(feature = "s3")]
    async fn fetch(&self, item: &Item, name: &str, (at, sum): (Timestamp, Sum)) -> Result<Vec<u8>> {
        let Some(large) = self.overflow() else { return Err(self.elsewhere(item, name)) };
        let told = |why: &str| format!("no entry: item {}: the object {name} {why}", line::name(item));
        Ok(match large.get(at, sum).await? {
            Fetched::Whole(entry) => entry.text.into_bytes(),
            Fetched::Gone => told("is gone").into_bytes(),
            Fetched::Damaged(broken) => told(&format!("is not what was put: {broken}")).into_bytes(),
            _ => told("cannot be read").into_bytes(),
        })
    }

    #[cfg(not(feature = "s3"))]
    #[allow(clippy::unused_async, reason = "with a bucket it asks")]
    async fn fetch(&self, item: &Item, name: &str, _: (Timestamp, Sum)) -> Result<Vec<u8>> {
        Err(self.elsewhere(item, name))
    }

    /// An entry was handed to a bucket, and this log has none.
    fn elsewhere(&self, item: &Item, name: &str) -> Error {
        let attempted = format!(
            "read {} of table {}: the entry of item {} was handed to a bucket, as the object {name}. Give this log the bucket",
            self.partition(),
            self.place().table,
            line::name(item)
        );
        Error::new(ErrorKind::Invalid, attempted)
    }

    pub(super) async fn page(&self, range: &AuditRange) -> Result<AuditPage> {
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
        let mut page = AuditPage::default();
        let mut last = None;
        loop {
            let found = self.lines(&ask).await?;
            for item in found.visible() {
                if page.lines.len() >= most {
                    page.next = last;
                    return Ok(page);
                }
                page.lines.push(self.text(item).await?);
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
