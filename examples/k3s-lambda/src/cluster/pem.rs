//! Certificates out of PEM.

use autoscale_core::ports::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Every certificate in a text, as DER; at least one.
///
/// # Errors
/// `Invalid`, without any of the text.
pub(super) fn certificates(name: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    let invalid =
        |why: &str| Error::new(ErrorKind::Invalid, format!("read the certificates in {name}: {why}"));
    let mut all = Vec::new();
    for part in text.split(BEGIN).skip(1) {
        let (body, _) = part.split_once(END).ok_or_else(|| invalid("one does not end"))?;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        all.push(STANDARD.decode(body).map_err(|_| invalid("one is no base64"))?);
    }
    if all.is_empty() { Err(invalid("expected PEM")) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_and_nothing_else() {
        let two = format!("# ours\n{BEGIN}\nYWJj\nZGVm\n{END}\n\n{BEGIN}\r\nZ2hp\r\n{END}\r\n");
        assert_eq!(certificates("/ca", &two).unwrap(), [b"abcdef".to_vec(), b"ghi".to_vec()]);
        for (text, why) in [
            ("canary", "expected PEM"),
            ("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n", "expected PEM"),
            ("-----BEGIN CERTIFICATE-----\ncanary", "does not end"),
            ("-----BEGIN CERTIFICATE-----\nca~ary\n-----END CERTIFICATE-----", "no base64"),
        ] {
            let error = certificates("/ca", text).unwrap_err().chain();
            assert!(error.contains(why) && error.contains("/ca") && !error.contains("canary"), "{error}");
        }
    }
}
