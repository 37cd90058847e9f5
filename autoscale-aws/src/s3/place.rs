//! A place in S3, as people write it.

use std::fmt;

/// A bucket, and a path in it: `s3://bucket/path`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// The path, without a slash at either end.
    pub path: String,
}

impl S3Place {
    /// Reads `s3://bucket/path`, with or without a slash at its end: a bucket of 3 to 63 lower-case letters, digits, dots and dashes, and at
    /// most 900 bytes of path, whose parts are printable ASCII and neither empty nor `.` nor `..`. `None` if it is no such place.
    pub fn parse(text: &str) -> Option<Self> {
        let (bucket, path) = text.strip_prefix("s3://")?.split_once('/')?;
        let path = path.trim_end_matches('/');
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let plain =
            |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(|b| b.is_ascii_graphic());
        let fits = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(allowed)
            && path.len() <= 900
            && path.split('/').all(plain);
        fits.then(|| Self { bucket: bucket.to_owned(), path: path.to_owned() })
    }
}

impl fmt::Display for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.path)
    }
}

/// The port of a stand-in for S3 on this machine, for [`BucketStore::on_emulator`](super::BucketStore::on_emulator): of
/// `http://127.0.0.1:PORT` and nothing else, because nothing else is asked without TLS.
pub fn emulator_port(endpoint: &str) -> Option<u16> {
    let port = endpoint.strip_prefix("http://127.0.0.1:")?.trim_end_matches('/');
    port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_nothing_else_is_one() {
        let place = S3Place::parse("s3://shop-config/clusters/shop/").unwrap();
        assert_eq!((place.bucket.as_str(), place.path.as_str()), ("shop-config", "clusters/shop"));
        assert_eq!(place.to_string(), "s3://shop-config/clusters/shop");
        for text in [
            "shop",
            "s3://shop",
            "s3://shop/",
            "s3://Shop/a",
            "s3://shop/a//b",
            "s3://shop/../a",
            "s3://shop/a b",
            "s3://sh/a",
            "https://shop/a",
        ] {
            assert_eq!(S3Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for (endpoint, port) in [
            ("http://127.0.0.1:5000", Some(5_000)),
            ("http://127.0.0.1:5000/", Some(5_000)),
            ("http://127.0.0.1", None),
            ("http://127.0.0.1:5000/x", None),
            ("http://127.0.0.1:5000.example.org", None),
            ("http://127.0.0.1:+5000", None),
            ("http://127.0.0.1:65536", None),
            ("http://localhost:5000", None),
            ("http://s3.example.org", None),
            ("https://127.0.0.1:5000", None),
        ] {
            assert_eq!(emulator_port(endpoint), port, "{endpoint}");
        }
    }
}
