//! Where the record and the audit log lie.

use autoscale_core::words::{ClusterId, ConfigErrors, Span};

/// Where the record and the audit log lie. Made by [`BlobConfig::new`] and `with_*`, checked by [`build`](Self::build).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobConfig {
    pub(super) cluster: ClusterId,
    pub(super) account: String,
    pub(super) container: String,
    pub(super) prefix: String,
    pub(super) endpoint: String,
    pub(super) scope: String,
    pub(super) timeout: Span,
}

impl BlobConfig {
    /// The record and the audit log of a cluster in a container of a storage account.
    pub fn new(cluster: ClusterId, account: impl Into<String>, container: impl Into<String>) -> Self {
        let account = account.into();
        Self {
            cluster,
            endpoint: format!("https://{account}.blob.core.windows.net"),
            account,
            container: container.into(),
            prefix: "autoscale".to_owned(),
            scope: "https://storage.azure.com/.default".to_owned(),
            timeout: Span::from_secs(4),
        }
    }

    /// Another prefix than `autoscale`, such as `clusters/west`. Nothing else of the container is looked at.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Another Azure than the public one: the https endpoint of the account, and the scope of tokens.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>, scope: impl Into<String>) -> Self {
        (self.endpoint, self.scope) = (endpoint.into(), scope.into());
        self
    }

    /// How long one request may take, 500 ms to 60 s; default 4 s, because a call of the driver takes at most 5 s.
    #[must_use]
    pub const fn with_timeout(mut self, span: Span) -> Self {
        self.timeout = span;
        self
    }

    /// Checks it.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn build(self) -> Result<Self, ConfigErrors> {
        let mut errors = ConfigErrors::new();
        let mut expect = |holds: bool, field: &str, value: &str, expected: &str| {
            errors.check(holds, field, value, expected);
        };
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let account = (3..=24).contains(&self.account.len()) && self.account.bytes().all(lower);
        expect(account, "account", &self.account, "3 to 24 lower-case letters and digits");
        let container = &self.container;
        let named = (3..=63).contains(&container.len())
            && container.bytes().all(|b| lower(b) || b == b'-')
            && !container.starts_with('-')
            && !container.ends_with('-')
            && !container.contains("--");
        expect(named, "container", container, "3 to 63 lower-case letters, digits and single inner dashes");
        errors.check_prefix("prefix", &self.prefix);
        errors.check_https("endpoint", &self.endpoint);
        let scope = self.scope.starts_with("https://") && self.scope.ends_with("/.default");
        errors.check(
            scope,
            "scope",
            &self.scope,
            "the scope of a token, such as https://storage.azure.com/.default",
        );
        errors.check_span("timeout", self.timeout, Span::from_millis(500)..=Span::from_secs(60));
        errors.or(self)
    }

    /// The blob of the record.
    pub(super) fn path(&self) -> String {
        format!("{}/{}.record", self.prefix, self.cluster)
    }

    /// What the blobs of the audit log are below.
    pub(super) fn audit(&self) -> String {
        format!("{}/{}.audit", self.prefix, self.cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(account: &str, container: &str) -> BlobConfig {
        BlobConfig::new(ClusterId::new("shop").unwrap(), account, container)
    }

    #[test]
    fn everything_lies_under_a_prefix_of_its_own() {
        let config = config("account1", "state").build().unwrap();
        assert_eq!(config.path(), "autoscale/shop.record");
        let config = config.with_prefix("clusters/west").build().unwrap();
        assert_eq!(config.path(), "clusters/west/shop.record");
        assert_eq!(config.audit(), "clusters/west/shop.audit");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = config("A", "--")
            .with_prefix("../x")
            .with_endpoint("http://elsewhere.example", "scope")
            .with_timeout(Span::ZERO)
            .build()
            .unwrap_err();
        assert_eq!(wrong.iter().count(), 6, "{wrong}");
        assert!(wrong.to_string().contains("account: \"A\": expected 3 to 24"), "{wrong}");
        for (endpoint, fits) in [
            ("https://", false),
            ("https://a.b/c", false),
            ("https://u@h", false),
            ("https://h.example:443/", true),
        ] {
            let built = config("account1", "state").with_endpoint(endpoint, "https://s/.default").build();
            assert_eq!(built.is_ok(), fits, "{endpoint}");
        }
    }
}
