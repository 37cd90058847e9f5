//! One table, how it is asked, and whether it will do.

use autoscale_core::ports::{Error, ErrorKind, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{KeyType, MultiRegionConsistency, ScalarAttributeType, TableDescription};

use crate::failure::Failure;
use crate::watch::Watch;

/// A table and its key.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) client: Client,
    pub(super) table: String,
    pub(super) partition: String,
    pub(super) sort: Option<&'static str>,
}

/// Each request is sent once.
pub(super) fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

impl Place {
    pub(super) fn new(
        client: Client,
        table: impl Into<String>,
        partition: &str,
        sort: Option<&'static str>,
    ) -> Self {
        Self { client, table: table.into(), partition: partition.to_owned(), sort }
    }

    /// What the key has to be, in words.
    fn key(&self) -> String {
        match self.sort {
            None => format!("only key is the text attribute {}", self.partition),
            Some(sort) => format!("key is the text attributes {} and {sort}", self.partition),
        }
    }

    /// What to do about an answer, for the error's first line; and its kind, if the service says that there is no table.
    fn hint(&self, failure: &Failure) -> (Option<ErrorKind>, String) {
        match failure.code.as_deref() {
            Some("ResourceNotFoundException") => {
                let hint = format!(": there is no such table in this region. Make one whose {}", self.key());
                (Some(ErrorKind::NotFound), hint)
            }
            Some("ValidationException") => (None, format!(": expected a table whose {}", self.key())),
            _ => (None, String::new()),
        }
    }

    /// The error of a request that only looked.
    pub(super) fn looking(&self, failure: Failure, attempted: &str, action: &str) -> Error {
        let (kind, hint) = self.hint(&failure);
        let attempted = format!("{attempted}{hint}");
        match kind {
            Some(kind) => Error::new(kind, attempted).with_source(failure),
            None => failure.looking(&attempted, action),
        }
    }

    /// What a write certainly met that was not carried out, and what to do about it.
    pub(super) fn certain(&self, failure: &Failure, action: &str) -> Option<(ErrorKind, String)> {
        let (kind, hint) = self.hint(failure);
        kind.or_else(|| failure.certain(action)).map(|kind| (kind, hint))
    }

    pub(super) async fn check(&self) -> Result<()> {
        let watch = Watch::new();
        let attempted = format!("look at table {}", self.table);
        let describe = self.client.describe_table().table_name(&self.table).customize();
        let answer = describe.config_override(once()).interceptor(watch.clone()).send().await;
        let found = answer.map_err(|error| {
            self.looking(Failure::new(&error, &watch), &attempted, "dynamodb:DescribeTable")
        })?;
        let invalid = |why| Error::new(ErrorKind::Invalid, format!("{attempted}: {why}"));
        let table = found.table().ok_or_else(|| invalid("the answer does not describe it".to_owned()))?;
        fault(table, &self.partition, self.sort)
            .map_or(Ok(()), |why| Err(invalid(format!("{why}: expected a table whose {}", self.key()))))
    }
}

/// Why a table will not do.
fn fault(table: &TableDescription, partition: &str, sort: Option<&str>) -> Option<String> {
    let mut wanted = vec![(partition, KeyType::Hash)];
    wanted.extend(sort.map(|sort| (sort, KeyType::Range)));
    let found: Vec<_> =
        table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().clone())).collect();
    if found != wanted {
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        return Some(format!("its key is {}", names.join(" and ")));
    }
    let is_text = |name: &str| {
        let mut of = table.attribute_definitions().iter().filter(|defined| defined.attribute_name() == name);
        of.all(|defined| *defined.attribute_type() == ScalarAttributeType::S)
    };
    if let Some((name, _)) = wanted.iter().find(|(name, _)| !is_text(name)) {
        return Some(format!("{name} is no text"));
    }
    let strong = table.multi_region_consistency() == Some(&MultiRegionConsistency::Strong);
    (!table.replicas().is_empty() && !strong).then(|| {
        "other regions write to it and the last one wins, so that the record would have two holders"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::{AttributeDefinition, KeySchemaElement, ReplicaDescription};

    fn table(keys: &[(&str, KeyType)], kind: ScalarAttributeType) -> TableDescription {
        let mut table = TableDescription::builder();
        for (name, key) in keys {
            let schema = KeySchemaElement::builder().attribute_name(*name).key_type(key.clone());
            let defined = AttributeDefinition::builder().attribute_name(*name).attribute_type(kind.clone());
            table = table.key_schema(schema.build().unwrap());
            table = table.attribute_definitions(defined.build().unwrap());
        }
        table.build()
    }

    #[test]
    fn a_table_is_refused_for_its_key_and_for_other_regions() {
        let text = ScalarAttributeType::S;
        let one = [("pk", KeyType::Hash)];
        let two = [("pk", KeyType::Hash), ("sk", KeyType::Range)];
        assert_eq!(fault(&table(&one, text.clone()), "pk", None), None);
        assert_eq!(fault(&table(&two, text.clone()), "pk", Some("sk")), None);
        for (found, sort, why) in [
            (table(&two, text.clone()), None, "its key is pk and sk"),
            (table(&one, text.clone()), Some("sk"), "its key is pk"),
            (table(&[("id", KeyType::Hash)], text.clone()), None, "its key is id"),
            (table(&one, ScalarAttributeType::N), None, "pk is no text"),
        ] {
            assert_eq!(fault(&found, "pk", sort).as_deref(), Some(why));
        }
        let mut global = table(&one, text);
        global.replicas = Some(vec![ReplicaDescription::builder().region_name("eu-west-1").build()]);
        assert!(fault(&global, "pk", None).unwrap().contains("the last one wins"));
        global.multi_region_consistency = Some(MultiRegionConsistency::Strong);
        assert_eq!(fault(&global, "pk", None), None);
    }
}
