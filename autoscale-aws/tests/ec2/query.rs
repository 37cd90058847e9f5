//! EC2's protocol: forms come, XML goes.

use std::collections::BTreeMap;

/// A form, by name.
pub(crate) type Form = BTreeMap<String, String>;

pub(crate) fn form(body: &[u8]) -> Form {
    let text = std::str::from_utf8(body).unwrap();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(out).unwrap()
}

/// The values of `<name>.1`, `<name>.2` …
pub(crate) fn list(form: &Form, name: &str) -> Vec<String> {
    (1..).map_while(|number| form.get(&format!("{name}.{number}")).cloned()).collect()
}

/// Tags: key and value.
pub(crate) type Tags = Vec<(String, String)>;

/// The tags for each kind of resource.
pub(crate) fn tags(form: &Form) -> BTreeMap<String, Tags> {
    let mut all = BTreeMap::new();
    for at in 1.. {
        let prefix = format!("TagSpecification.{at}");
        let Some(kind) = form.get(&format!("{prefix}.ResourceType")) else { return all };
        let tag = |number| {
            let of = |part: &str| form.get(&format!("{prefix}.Tag.{number}.{part}")).cloned();
            Some((of("Key")?, of("Value")?))
        };
        all.insert(kind.clone(), (1..).map_while(tag).collect());
    }
    all
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An element.
pub(crate) fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// A whole answer.
pub(crate) fn answer(operation: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>r</requestId>{inner}</{operation}Response>"
    )
}
