//! What a launch is pinned to, as policies and records say it.

use autoscale_core::words::truncated;

/// A launch template with its version, or an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Pinned {
    Template {
        /// An id or a name.
        template: String,
        version: u64,
    },
    /// An id, or `resolve:ssm:` and a parameter.
    Image(String),
}

fn is_hex(text: &str) -> bool {
    (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Pinned {
    /// Reads `lt-0123456789abcdef0:7`, `workers:7`, `ami-0123456789abcdef0` or `resolve:ssm:/images/worker`; nothing for an
    /// empty text.
    ///
    /// # Errors
    /// What would have been accepted.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let wrong = || {
            let text = truncated(text, 80);
            Err(format!(
                "template \"{text}\": expected a launch template and its version, such as workers:7 or \
                 lt-0123456789abcdef0:7, or an image, such as ami-0123456789abcdef0 or resolve:ssm:/images/worker"
            ))
        };
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(parameter) = text.strip_prefix("resolve:ssm:") {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/._-:".contains(&b);
            let right = !parameter.is_empty() && parameter.len() <= 1_011 && parameter.bytes().all(allowed);
            return if right { Ok(Some(Self::Image(text.to_owned()))) } else { wrong() };
        }
        if let Some(digits) = text.strip_prefix("ami-") {
            return if is_hex(digits) { Ok(Some(Self::Image(text.to_owned()))) } else { wrong() };
        }
        // `$Latest` and `$Default` may be something else when the same order is sent again.
        let Some((template, version)) = text.rsplit_once(':') else { return wrong() };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"().-/_".contains(&b);
        let right = match template.strip_prefix("lt-") {
            Some(digits) => is_hex(digits),
            None => (3..=128).contains(&template.len()) && template.bytes().all(allowed),
        };
        match version.parse() {
            Ok(version) if right && version >= 1 => {
                Ok(Some(Self::Template { template: template.to_owned(), version }))
            }
            _ => wrong(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_need_a_version_and_images_an_id() {
        let template = |name: &str| Ok(Some(Pinned::Template { template: name.to_owned(), version: 7 }));
        let image = |id: &str| Ok(Some(Pinned::Image(id.to_owned())));
        assert_eq!(Pinned::parse(""), Ok(None));
        assert_eq!(Pinned::parse("lt-0123456789abcdef0:7"), template("lt-0123456789abcdef0"));
        assert_eq!(Pinned::parse("k3s/workers_(blue):7"), template("k3s/workers_(blue)"));
        for id in ["ami-01234567", "resolve:ssm:/aws/service/x:3"] {
            assert_eq!(Pinned::parse(id), image(id));
        }
        for text in [
            "workers",
            "workers:$Latest",
            "workers:0",
            "workers:-1",
            "lt-x:1",
            "ami-",
            "ami-0123456g",
            "resolve:ssm:",
            "resolve:ssm:a b",
            "a b:1",
            "x:1",
            "$(reboot):1",
        ] {
            let why = Pinned::parse(text).unwrap_err();
            assert!(why.contains("expected a launch template and its version"), "{text}: {why}");
        }
    }
}
