//! YAML as a tree in which each value knows where it stands.
//!
//! What is read is bounded: in size before it comes here, in depth, nodes and aliases here, since a few lines of aliases
//! can mean billions of values.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Deserializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_saphyr::Spanned;

use super::place::Place;
use super::place::Problem;

/// Deeper than any file of a fleet; each level takes stack.
const DEEPEST: usize = 40;

/// More than the longest `values.yaml` has ten times over.
const MOST_NODES: usize = 10_000;

/// A value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) at: Place,
}

/// What a value is. Scalars are texts: what they mean is for those who read them.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn map(&self) -> &[(String, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.map().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Down the path, as far as it goes.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Whether nothing is said: no value, an empty text, list or map.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Null => true,
            Kind::Text(text) => text.is_empty(),
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
        }
    }

    /// Itself and all values below it, each with the key it stands under.
    pub(super) fn walk<'a>(&'a self, key: &'a str, visit: &mut dyn FnMut(&'a str, &'a Node)) {
        visit(key, self);
        self.list().iter().for_each(|item| item.walk(key, visit));
        self.map().iter().for_each(|(name, node)| node.walk(name, visit));
    }
}

/// The documents of a text.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Node>, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_nodes: MOST_NODES,
            max_events: MOST_NODES * 4,
            max_aliases: 500,
            max_anchors: 500,
            max_documents: 50,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_NODES,
            max_replay_stack_depth: DEEPEST,
        },
        with_snippet: false,
    };
    match serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options) {
        Ok(documents) => Ok(documents.into_iter().map(|raw| placed(file, raw)).collect()),
        Err(error) => {
            let at = error.location().map_or((0, 0), |at| (number(at.line()), number(at.column())));
            Err(Problem {
                at: Place::new(file, at.0, at.1),
                message: format!("this is no YAML that can be read: {}", first_line(&error)),
                help: "mend the file, or take out what the service does not need".to_owned(),
            })
        }
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or_default()
}

fn first_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().trim_start_matches("error: ").to_owned()
}

fn placed(file: &Arc<str>, raw: Spanned<Raw>) -> Node {
    let at = Place::new(file, number(raw.referenced.line()), number(raw.referenced.column()));
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Text(text) => Kind::Text(text),
        Raw::List(items) => Kind::List(items.into_iter().map(|item| placed(file, item)).collect()),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let mut node = placed(file, value);
                    // People look for the key; where the value begins may be lines below it.
                    node.at =
                        Place::new(file, number(key.referenced.line()), number(key.referenced.column()));
                    (key.value.0, node)
                })
                .collect(),
        ),
    };
    Node { kind, at }
}

/// A value as it comes from the parser.
enum Raw {
    Null,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Key>, Spanned<Raw>)>),
}

/// A key, of whatever type: `8080:` and `true:` are names, too.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw::Text(text) => Ok(Self(text)),
            Raw::Null => Ok(Self("null".to_owned())),
            Raw::List(_) | Raw::Map(_) => Err(D::Error::custom("a key is a list or a map")),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Node>, Problem> {
        parse(&"f.yaml".into(), text)
    }

    #[test]
    fn values_are_found_by_path_and_know_their_key_s_place() {
        let documents = parsed("a:\n  b:\n    - x: 1\n      y: yes\n---\nc: 0.5\n").unwrap();
        let b = documents[0].at(&["a", "b"]).unwrap();
        assert_eq!((b.at.line, b.at.column), (2, 3));
        assert_eq!(b.list()[0].get("x").and_then(Node::text), Some("1"));
        assert_eq!(documents[1].get("c").and_then(Node::text), Some("0.5"));
    }

    #[test]
    fn a_broken_text_is_told_with_its_place() {
        let problem = parsed("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(problem.at.line >= 2 && problem.at.column > 0, "{problem}");
    }

    #[test]
    fn aliases_that_mean_billions_of_values_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let before = format!("*a{}", n - 1);
            text += &format!("a{n}: &a{n} [{}]\n", [before.as_str(); 9].join(", "));
        }
        assert!(parsed(&text).is_err());
        assert!(parsed(&"[".repeat(5000)).is_err());
        assert!(parsed(&"a:\n ".repeat(100)).is_err());
    }
}
