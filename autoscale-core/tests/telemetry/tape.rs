//! A subscriber that keeps everything.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A span or an event.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) is_span: bool,
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) fields: BTreeMap<String, String>,
    /// The names of the spans that it was told in, the outermost first.
    pub(crate) within: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tape(Arc<Mutex<Reel>>);

#[derive(Debug, Default)]
struct Reel {
    heard: Vec<Heard>,
    /// The spans that are entered now, as places in `heard`.
    entered: Vec<usize>,
}

impl Tape {
    /// Everything that is told while `doing` runs on this thread.
    pub(crate) fn of(doing: impl FnOnce(&Self)) -> Vec<Heard> {
        let tape = Self::default();
        tracing::subscriber::with_default(tape.clone(), || doing(&tape));
        let reel = tape.0.lock().unwrap();
        assert!(reel.entered.is_empty(), "every span was left");
        reel.heard.clone()
    }

    /// How many spans are entered now.
    pub(crate) fn entered(&self) -> usize {
        self.0.lock().unwrap().entered.len()
    }

    fn hear(&self, metadata: &Metadata<'_>, values: impl FnOnce(&mut Fields)) -> usize {
        let mut fields = Fields::default();
        values(&mut fields);
        let mut reel = self.0.lock().unwrap();
        let within = reel.entered.iter().map(|at| reel.heard[*at].name.clone()).collect();
        reel.heard.push(Heard {
            is_span: metadata.is_span(),
            name: metadata.name().to_owned(),
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            fields: fields.0,
            within,
        });
        reel.heard.len() - 1
    }
}

/// Values of fields as text.
#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn place(id: &Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

impl Subscriber for Tape {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("autoscale")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let at = self.hear(span.metadata(), |fields| span.record(fields));
        Id::from_u64(at as u64 + 1)
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.0.lock().unwrap().heard[place(span)].fields.extend(fields.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        self.hear(event.metadata(), |fields| event.record(fields));
    }
    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(place(span));
    }
    fn exit(&self, span: &Id) {
        assert_eq!(self.0.lock().unwrap().entered.pop(), Some(place(span)), "the innermost is left first");
    }
}
