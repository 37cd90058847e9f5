//! Where the record and the audit log lie.

use autoscale_core::words::{ClusterId, ConfigErrors, Span};

/// Where the record and the audit log of a cluster lie. Made by [`S3Config::new`] and `with_*`, checked by
/// [`build`](Self::build).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct S3Config {
    pub(super) cluster: ClusterId,
    pub(super) bucket: String,
    pub(super) region: String,
    pub(super) prefix: String,
    pub(super) endpoint: Option<String>,
    pub(super) timeout: Span,
}

impl S3Config {
    /// In a bucket of a region, such as `eu-central-1`.
    pub fn new(cluster: ClusterId, bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            cluster,
            bucket: bucket.into(),
            region: region.into(),
            prefix: "autoscale".to_owned(),
            endpoint: None,
            timeout: Span::from_secs(4),
        }
    }

    /// Another prefix than `autoscale`, such as `clusters/west`. Nothing else of the bucket is looked at.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Another endpoint than the region's: `https://` and a host, of a VPC endpoint or of another store that speaks the same
    /// language and can put under a condition. The bucket becomes a part of the path.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
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
        let word = |text: &str, inner: &[u8]| {
            let ends = |b: Option<u8>| b.is_some_and(lower);
            ends(text.bytes().next())
                && ends(text.bytes().next_back())
                && text.bytes().all(|b| lower(b) || inner.contains(&b))
        };
        let bucket = &self.bucket;
        let named = (3..=63).contains(&bucket.len()) && word(bucket, b"-.") && !bucket.contains("..");
        expect(
            named,
            "bucket",
            bucket,
            "3 to 63 lower-case letters, digits, and inner dashes and single dots",
        );
        let region = (3..=40).contains(&self.region.len()) && word(&self.region, b"-");
        expect(region, "region", &self.region, "the name of a region, such as eu-central-1");
        errors.check_prefix("prefix", &self.prefix);
        if let Some(endpoint) = &self.endpoint {
            errors.check_https("endpoint", endpoint);
        }
        errors.check_span("timeout", self.timeout, Span::from_millis(500)..=Span::from_secs(60));
        errors.or(self)
    }

    /// What the client is to ask, and whether the bucket is a part of the host already.
    pub(super) fn host(&self) -> (String, bool) {
        if let Some(endpoint) = &self.endpoint {
            return (endpoint.trim_end_matches('/').to_owned(), false);
        }
        // China is a partition of its own.
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let Self { bucket, region, .. } = self;
        // No certificate is for a name with one more dot.
        match bucket.contains('.') {
            true => (format!("https://s3.{region}.{domain}"), false),
            false => (format!("https://{bucket}.s3.{region}.{domain}"), true),
        }
    }

    /// The object of the record.
    pub(super) fn record(&self) -> String {
        format!("{}/{}.record", self.prefix, self.cluster)
    }

    /// What the objects of the audit log are below.
    pub(super) fn audit(&self) -> String {
        format!("{}/{}.audit", self.prefix, self.cluster)
    }

    /// What entries that are too large for another log are below.
    pub(super) fn large(&self) -> String {
        format!("{}/{}.large", self.prefix, self.cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(bucket: &str, region: &str) -> S3Config {
        S3Config::new(ClusterId::new("shop").unwrap(), bucket, region)
    }

    #[test]
    fn everything_lies_under_a_prefix_of_its_own() {
        let config = config("state", "eu-central-1").build().unwrap();
        assert_eq!(config.record(), "autoscale/shop.record");
        let config = config.with_prefix("clusters/west").build().unwrap();
        let places = [config.record(), config.audit(), config.large()];
        assert_eq!(places, ["record", "audit", "large"].map(|what| format!("clusters/west/shop.{what}")));
    }

    #[test]
    fn the_host_has_a_certificate() {
        let host = |bucket: &str, region: &str| config(bucket, region).build().unwrap().host();
        let said = |host: &str, has_bucket: bool| (host.to_owned(), has_bucket);
        assert_eq!(
            host("shop-state", "eu-central-1"),
            said("https://shop-state.s3.eu-central-1.amazonaws.com", true)
        );
        assert_eq!(host("shop.state", "us-east-1"), said("https://s3.us-east-1.amazonaws.com", false));
        assert_eq!(host("state", "cn-north-1"), said("https://state.s3.cn-north-1.amazonaws.com.cn", true));
        let own = config("state", "eu-central-1").with_endpoint("https://s3.example.org/").build().unwrap();
        assert_eq!(own.host(), said("https://s3.example.org", false));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = config("A", "")
            .with_prefix("../x")
            .with_endpoint("http://elsewhere.example")
            .with_timeout(Span::ZERO)
            .build()
            .unwrap_err();
        assert_eq!(wrong.iter().count(), 5, "{wrong}");
        assert!(wrong.to_string().contains("bucket: \"A\": expected 3 to 63"), "{wrong}");
        for (bucket, fits) in
            [("a-b.c", true), ("a..b", false), ("-ab", false), ("ab.", false), ("a_b", false)]
        {
            assert_eq!(config(bucket, "eu-central-1").build().is_ok(), fits, "{bucket}");
        }
        for (endpoint, fits) in [
            ("https://", false),
            ("https://a.b/c", false),
            ("https://u@h", false),
            ("https://h.example:443/", true),
        ] {
            let built = config("state", "eu-central-1").with_endpoint(endpoint).build();
            assert_eq!(built.is_ok(), fits, "{endpoint}");
        }
    }
}
