//! Taints as Kubernetes writes them: `key=value:Effect`, or `key:Effect` without a value.

use super::keys::{MAX_KEY, MAX_LABEL};
use super::names::Named;
use super::raw::Raw;
use crate::data::view::{Taint, TaintEffect};

const TAINT: &str = "a taint like key=value:NoSchedule, key:PreferNoSchedule or key:NoExecute";

/// A taint in Kubernetes' text form.
pub(super) fn taint(raw: &Raw) -> Result<Taint, String> {
    let Raw::Text(text) = raw else {
        return Err(TAINT.to_owned());
    };
    parsed(text).ok_or_else(|| TAINT.to_owned())
}

fn parsed(text: &str) -> Option<Taint> {
    let (rest, effect) = text.rsplit_once(':')?;
    let effect = *TaintEffect::ALL.iter().find(|known| known.name() == effect)?;
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    let plain = |text: &str, most| {
        text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'='))
    };
    (!key.is_empty() && plain(key, MAX_KEY) && plain(value, MAX_LABEL))
        .then(|| Taint::new(key, value, effect))
}

/// The text form. One that cannot be written so, because of its key or its value, does not read back as another.
pub(super) fn show_taint(Taint { key, value, effect }: &Taint) -> Raw {
    let effect = effect.name();
    if value.is_empty() && !key.contains('=') {
        Raw::text(format_args!("{key}:{effect}"))
    } else {
        Raw::text(format_args!("{key}={value}:{effect}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_kubernetes() {
        let long = format!("{}={}:NoExecute", "k".repeat(MAX_KEY), "v".repeat(MAX_LABEL));
        for (text, taint) in [
            ("dedicated=gpu:NoSchedule", Some(("dedicated", "gpu", TaintEffect::NoSchedule))),
            ("a.b/c:NoExecute", Some(("a.b/c", "", TaintEffect::NoExecute))),
            ("a=:PreferNoSchedule", Some(("a", "", TaintEffect::PreferNoSchedule))),
            ("", None),
            (":NoSchedule", None),
            ("=b:NoSchedule", None),
            ("a", None),
            ("a:", None),
            ("a:noschedule", None),
            ("a:b:NoSchedule", None),
            ("a=b=c:NoSchedule", None),
            ("a b:NoSchedule", None),
            ("a=\u{fc}:NoSchedule", None),
            (&format!("k{long}"), None),
            (&long.replace('=', "=v"), None),
        ] {
            let expected = taint.map(|(key, value, effect)| Taint::new(key, value, effect));
            assert_eq!(parsed(text), expected, "{text}");
        }
        assert!(parsed(&long).is_some());
    }

    #[test]
    fn a_taint_reads_back_or_not_at_all() {
        for (key, value, readable) in [
            ("a", "", true),
            ("a", "b", true),
            ("a=b", "", false),
            ("a", "b=c", false),
            ("a:NoExecute", "", false),
            ("a", "b:NoExecute", false),
            ("", "", false),
        ] {
            let given = Taint::new(key, value, TaintEffect::NoSchedule);
            let read = taint(&show_taint(&given)).ok();
            assert_eq!(read, readable.then_some(given), "{key} {value}");
        }
    }
}
