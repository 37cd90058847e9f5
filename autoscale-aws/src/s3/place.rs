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
}
