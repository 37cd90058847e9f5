//! [`StateStore`] in one item.

use async_trait::async_trait;
use autoscale_core::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped};
use autoscale_core::words::{ClusterId, Ver, WriteId, truncated};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;

use super::item::{self, Item, OURS, VER, WRITE_ID};
use super::table::{Place, once};
use crate::failure::Failure;
use crate::watch::Watch;

/// A [`StateStore`] in one item of a DynamoDB table: the item `asc#<cluster>`.
///
/// A swap is one `PutItem` under a condition on the record's number and the name of the write that stored it; what it lost
/// against comes with the answer. A load is one strongly consistent `GetItem`.
///
/// Beside the record stand attributes for people and dashboards, as they were when it was last written: `scalingInProgress`,
/// `lastScaleEpoch` (seconds), `workerCount`, `holder`, `operations`, `underWay`. Nothing reads them here.
#[derive(Clone, Debug)]
pub struct TableStore {
    place: Place,
    key: String,
}

impl TableStore {
    /// The record of a cluster in a table, whose only key is the text attribute `pk`.
    pub fn new(client: Client, table: impl Into<String>, cluster: &ClusterId) -> Self {
        Self { place: Place::new(client, table, "pk", None), key: format!("asc#{cluster}") }
    }

    /// Another name for the key attribute.
    ///
    /// # Errors
    /// `Invalid` for what is no name, or one that this store has for something else.
    pub fn with_key_attribute(mut self, name: &str) -> Result<Self> {
        if !(1..=255).contains(&name.len()) || item::ATTRIBUTES.contains(&name) {
            let name = truncated(name, 80);
            let attempted = format!(
                "key attribute \"{name}\": expected 1 to 255 bytes, and none of the names of the record's"
            );
            return Err(Error::new(ErrorKind::Invalid, attempted));
        }
        self.place.partition = name.to_owned();
        Ok(self)
    }

    /// Looks whether the table can keep a record: its key, and that no other region may write the same item and win. Needs
    /// the permission `dynamodb:DescribeTable`.
    ///
    /// # Errors
    /// `Invalid` if it cannot, `NotFound` if there is none; else as [`load`](StateStore::load).
    pub async fn check(&self) -> Result<()> {
        self.place.check().await
    }

    fn item(&self) -> String {
        format!("item {} of table {}", self.key, self.place.table)
    }

    /// What an item holds.
    fn loaded(&self, item: &Item, watch: &Watch) -> Result<Loaded> {
        let (version, bytes) = item::read(item).map_err(|why| {
            let attempted = format!(
                "read {}: {why}. Nothing was changed. If it is not a record of this library, configure another table or cluster id; \
                 if it is a damaged one, move it away: the next tick adopts what carries the cluster's tags",
                self.item()
            );
            Error::new(ErrorKind::Invalid, attempted)
        })?;
        let mut loaded = Loaded::new(version, bytes);
        loaded.store_time = watch.date();
        Ok(loaded)
    }

    /// The put of a record over what is expected.
    async fn put(&self, item: Item, over: Option<(Ver, WriteId)>, watch: &Watch) -> Put {
        let key = (self.place.partition.clone(), item::text(&self.key));
        let put = self.place.client.put_item().table_name(&self.place.table);
        let put =
            put.set_item(Some(item)).item(key.0, key.1).return_values_on_condition_check_failure(AllOld);
        let put = match over {
            None => put
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", &self.place.partition),
            Some((ver, write_id)) => put
                .condition_expression("#ours = :ours AND #ver = :ver AND #write = :write")
                .expression_attribute_names("#ours", OURS)
                .expression_attribute_names("#ver", VER)
                .expression_attribute_names("#write", WRITE_ID)
                .expression_attribute_values(":ours", item::number(1))
                .expression_attribute_values(":ver", item::number(ver))
                .expression_attribute_values(":write", item::text(write_id.as_str())),
        };
        let error = match put.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(_) => return Put::Done,
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => Put::Lost(failed.item().cloned()),
            // Refused before anything was done: somebody else's transaction, or another region, is at the item.
            Some(
                PutItemError::TransactionConflictException(_)
                | PutItemError::ReplicatedWriteConflictException(_),
            ) => Put::Conflict(Failure::new(&error, watch)),
            _ => Put::Failed(Failure::new(&error, watch)),
        }
    }
}

/// What became of a put.
enum Put {
    Done,
    /// The condition was not met, and this is there.
    Lost(Option<Item>),
    Conflict(Failure),
    Failed(Failure),
}

#[async_trait]
impl StateStore for TableStore {
    async fn load(&self) -> Result<Option<Loaded>> {
        let (watch, place) = (Watch::new(), &self.place);
        let get = place.client.get_item().table_name(&place.table).consistent_read(true);
        let get = get.key(&place.partition, item::text(&self.key));
        match get.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(found) => found.item().map(|item| self.loaded(item, &watch)).transpose(),
            Err(error) => {
                let failure = Failure::new(&error, &watch);
                Err(place.looking(failure, &format!("read {}", self.item()), "dynamodb:GetItem"))
            }
        }
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        let Some(over) = item::expected(expected) else {
            // No state of this store was ever called that.
            return Ok(Swapped::Lost(self.load().await.ok().flatten()));
        };
        let watch = Watch::new();
        let attempted = format!("write {}", self.item());
        match self.put(item::of(sealed)?, over, &watch).await {
            Put::Done => Ok(Swapped::Applied(item::version(sealed.ver, &sealed.write_id))),
            // What cannot be read is said by the next load.
            Put::Lost(current) => Ok(Swapped::Lost(current.and_then(|item| self.loaded(&item, &watch).ok()))),
            Put::Conflict(failure) => {
                Err(Error::new(ErrorKind::Throttled { retry_after: None }, attempted).with_source(failure))
            }
            Put::Failed(failure) => match self.place.certain(&failure, "dynamodb:PutItem") {
                Some((kind, hint)) => {
                    Err(Error::new(kind, format!("{attempted}{hint}")).with_source(failure))
                }
                None => Ok(Swapped::Unknown { why: truncated(&format!("{attempted}: {failure}"), 500) }),
            },
        }
    }
}
