//! A span as it is exported, whatever the wire makes of it.

use super::ids::Place;
use super::ids::SpanId;
use crate::model::Time;

/// The longest text of an attribute, a name or a status, in characters.
pub const LONGEST: usize = 1000;
/// The most texts in a list, and the most events of a span.
pub(super) const MOST: usize = 64;

/// What an attribute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(i64),
    Flag(bool),
}

/// What is known beside the times.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Attributes(pub(super) Vec<(&'static str, Value)>);

impl Attributes {
    /// Adds a text, if there is one.
    pub(super) fn text(&mut self, key: &'static str, text: impl AsRef<str>) -> &mut Self {
        let text = text.as_ref();
        if !text.is_empty() {
            self.0.push((key, Value::Text(clip(text))));
        }
        self
    }

    /// Adds a list, if there is anything in it.
    pub(super) fn texts(&mut self, key: &'static str, texts: &[String]) -> &mut Self {
        if !texts.is_empty() {
            let texts = texts.iter().take(MOST).map(|text| clip(text)).collect();
            self.0.push((key, Value::Texts(texts)));
        }
        self
    }

    /// Adds a number.
    pub(super) fn number(&mut self, key: &'static str, number: impl TryInto<i64>) -> &mut Self {
        self.0.push((key, Value::Number(number.try_into().unwrap_or(i64::MAX))));
        self
    }

    /// Adds a number, if it is known.
    pub(super) fn known(&mut self, key: &'static str, number: Option<impl TryInto<i64>>) -> &mut Self {
        if let Some(number) = number {
            self.number(key, number);
        }
        self
    }

    /// Adds whether something is so.
    pub(super) fn flag(&mut self, key: &'static str, flag: bool) -> &mut Self {
        self.0.push((key, Value::Flag(flag)));
        self
    }
}

/// Something that happened at a moment of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) at: Time,
    pub(super) attributes: Attributes,
}

/// A piece of time with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) place: Place,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) start: Time,
    pub(super) end: Time,
    pub(super) attributes: Attributes,
    pub(super) events: Vec<Event>,
    /// A span of another trace that led to this one.
    pub(super) link: Option<Place>,
    /// What went wrong, if something did.
    pub(super) failed: Option<String>,
}

impl Span {
    /// One with nothing but times; it ends no earlier than it begins.
    pub(super) fn new(place: Place, parent: Option<SpanId>, name: &str, (start, end): (Time, Time)) -> Self {
        Self {
            place,
            parent,
            name: clip(name),
            start,
            end: end.max(start),
            attributes: Attributes::default(),
            events: Vec::new(),
            link: None,
            failed: None,
        }
    }

    /// Marks it as failed for this reason.
    pub(super) fn fail(&mut self, why: &str) {
        self.failed = Some(clip(why));
    }
}

/// A text that is not too long.
fn clip(text: &str) -> String {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}
