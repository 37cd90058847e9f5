//! YAML, read from the events of its parser: each event has its place, and each word is taken as YAML 1.2 has it.

use std::cell::Cell;
use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};

use super::scalar::plain;
use crate::data::policy::error::PolicyErrors;
use crate::data::policy::mark::{Mark, place};
use crate::data::policy::raw::{Limits, MAX_SIZE, Raw};
use crate::words::truncated;

/// The prefix of the tags that YAML itself defines.
const CORE: &str = "tag:yaml.org,2002:";

pub(super) fn read(text: &str) -> Result<(Raw, Mark), PolicyErrors> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let events = Parser::new_from_str_with_options(text, options);
    Reader { text, events, anchors: BTreeMap::new() }.document()
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    /// What an alias may stand for: complete values, by the number of their anchor.
    anchors: BTreeMap<usize, (Raw, Mark)>,
}

type Read<T> = Result<T, PolicyErrors>;

impl<'a> Reader<'a> {
    /// The only document.
    fn document(mut self) -> Read<(Raw, Mark)> {
        let left = Cell::new(MAX_SIZE);
        let mut found = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(..) if found.is_some() => {
                    return Err(self.refuse(offset(&span), "a second document", "one document"));
                }
                Event::DocumentStart(..) => {}
                event => found = Some(self.node(event, &span, Limits::new(&left))?),
            }
        }
        Ok(found.unwrap_or((Raw::Null, Mark::default())))
    }

    fn next(&mut self) -> Read<Option<(Event<'a>, Span)>> {
        let event = self.events.next().transpose();
        event.map_err(|error| {
            let marker = error.marker();
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let place = (count(marker.line()), count(marker.col()).saturating_add(1));
            let message = truncated(&error.info(), 200);
            PolicyErrors::at(place, "unreadable".to_owned(), format!("YAML, but {message}"))
        })
    }

    fn node(&mut self, event: Event<'a>, span: &Span, limits: Limits<'_>) -> Read<(Raw, Mark)> {
        let at = offset(span);
        let mut mark = Mark::at(at);
        let (anchor, raw) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.within(at, limits.spend(text.len()))?;
                let is_text = self.only(tag.as_deref(), "str", at)? || style != ScalarStyle::Plain;
                (anchor, if is_text { Raw::Text(text.into_owned()) } else { plain(&text) })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.only(tag.as_deref(), "seq", at)?;
                self.within(at, limits.spend(0))?;
                (anchor, self.list(&mut mark, self.within(at, limits.deeper())?)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.only(tag.as_deref(), "map", at)?;
                self.within(at, limits.spend(0))?;
                (anchor, self.map(&mut mark, self.within(at, limits.deeper())?)?)
            }
            Event::Alias(anchor) => return self.alias(anchor, at, limits),
            _ => return Err(self.refuse(at, "something else", "a value")),
        };
        if anchor != 0 {
            // The copy counts, so that anchors within anchors are no way around the limit.
            self.within(at, raw.spend(limits))?;
            self.anchors.insert(anchor, (raw.clone(), mark.clone()));
        }
        Ok((raw, mark))
    }

    fn list(&mut self, mark: &mut Mark, limits: Limits<'_>) -> Read<Raw> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            let (item, part) = self.node(event, &span, limits)?;
            items.push(item);
            mark.parts.push(part);
        }
        Ok(Raw::List(items))
    }

    fn map(&mut self, mark: &mut Mark, limits: Limits<'_>) -> Read<Raw> {
        let mut entries = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let at = offset(&span);
            let key = match event {
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                    return Err(self.refuse(at, "<<", "no merge key; an alias may stand for a whole value"));
                }
                // A key is what is written, whether it looks like a number or not.
                Event::Scalar(text, _, 0, tag) => {
                    self.only(tag.as_deref(), "str", at)?;
                    text.into_owned()
                }
                _ => return Err(self.refuse(at, "something else", "a text as the key")),
            };
            self.within(at, limits.spend(key.len()))?;
            let Some((event, span)) = self.next()? else { break };
            let (value, part) = self.node(event, &span, limits)?;
            entries.push((key, value));
            mark.parts.push(part.under(at));
        }
        Ok(Raw::Map(entries))
    }

    /// The value that an anchor stands at, counted again.
    fn alias(&self, anchor: usize, at: usize, limits: Limits<'_>) -> Read<(Raw, Mark)> {
        let Some((raw, mark)) = self.anchors.get(&anchor) else {
            return Err(self.refuse(at, "an alias", "the anchor of a value that is complete"));
        };
        self.within(at, raw.spend(limits))?;
        let mark = Mark { key: at, value: at, parts: mark.parts.clone() };
        Ok((raw.clone(), mark))
    }

    /// Whether there is a tag, which may only be the one that says what the value is anyway.
    fn only(&self, tag: Option<&Tag>, known: &str, at: usize) -> Read<bool> {
        let Some(tag) = tag else { return Ok(false) };
        if tag.handle() == CORE && tag.suffix() == known {
            return Ok(true);
        }
        let shown = truncated(&format!("{}{}", tag.handle(), tag.suffix()), 80);
        Err(self.refuse(at, &format!("the tag \"{shown}\""), "no tag"))
    }

    fn within<T>(&self, at: usize, result: Result<T, String>) -> Read<T> {
        result.map_err(|why| self.refuse(at, "unreadable", &format!("YAML, but {why}")))
    }

    fn refuse(&self, at: usize, value: &str, expected: &str) -> PolicyErrors {
        PolicyErrors::at(place(self.text, at), value.to_owned(), expected.to_owned())
    }
}

/// Of a text the parser always knows the bytes.
fn offset(span: &Span) -> usize {
    span.start.byte_offset().unwrap_or(0)
}
