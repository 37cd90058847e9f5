//! A place in S3.

use std::fmt;

use crate::bad::Bad;

/// A bucket, and a path in it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// The path, without a slash at either end.
    pub path: String,
}

impl S3Place {
    /// Reads `s3://bucket/path`; `name` is the variable.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(name: &str, text: &str) -> Result<Self, Bad> {
        let bad = || Bad::setting(name, text, "s3://bucket/path");
        let (bucket, path) =
            text.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).ok_or_else(bad)?;
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let path = path.trim_end_matches('/');
        let plain = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(|b| b.is_ascii_graphic())
        };
        let fits = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(allowed)
            && path.len() <= 900
            && path.split('/').all(plain);
        if fits { Ok(Self { bucket: bucket.to_owned(), path: path.to_owned() }) } else { Err(bad()) }
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
        let place = S3Place::parse("STATE_S3", "s3://shop-config/clusters/shop/").unwrap();
        assert_eq!((place.bucket.as_str(), place.path.as_str()), ("shop-config", "clusters/shop"));
        assert_eq!(place.to_string(), "s3://shop-config/clusters/shop");
        for text in [
            "shop",
            "s3://shop",
            "s3://shop/",
            "s3://Shop/a",
            "s3://shop/a//b",
            "s3://shop/../a",
            "https://shop/a",
        ] {
            assert!(S3Place::parse("STATE_S3", text).is_err(), "{text}");
        }
    }
}
