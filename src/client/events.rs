//! Server-sent events, read as they come
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).

use std::collections::VecDeque;
use std::time::Duration;

use super::ClientError;
use super::answer::MAX_BYTES;
use super::request::from_json;
use crate::http::dto;

/// The daemon sends something at least each fifteen seconds: after so long without, it is gone, and nobody told.
pub(super) const SILENCE: Duration = Duration::from_secs(50);

/// What is told of the fleet.
#[derive(Debug, Clone)]
pub enum Event {
    /// All there is: first, and again for whoever fell too far behind.
    Snapshot(Box<dto::Opening>),
    /// What is not as it was.
    Change(Box<dto::Change>),
}

/// An event with its id.
#[derive(Debug, Clone)]
pub struct Told {
    /// Whoever comes back with it hears only what came later, as long as the daemon still knows that.
    pub id: Option<String>,
    /// The event.
    pub event: Event,
}

/// A stream of bytes, and the events that are complete.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
    id: Option<String>,
    ready: VecDeque<Told>,
}

impl Parser {
    /// The next event that is complete.
    pub(super) fn next(&mut self) -> Option<Told> {
        self.ready.pop_front()
    }

    /// Takes what came.
    ///
    /// # Errors
    /// An event is larger than is kept, or none that this version understands.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + self.data.len() + part.len() > MAX_BYTES {
                return Err(ClientError::TooLarge { limit: MAX_BYTES });
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                self.take(line.strip_suffix(b"\r").unwrap_or(line))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> Result<(), ClientError> {
        if line.is_empty() {
            return self.dispatch();
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (field, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"id" => self.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"data" if self.data.is_empty() => self.data = value.to_vec(),
            b"data" => {
                self.data.push(b'\n');
                self.data.extend_from_slice(value);
            }
            // Comments keep the line alive; how long to wait before coming back is for those who do it by themselves.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) -> Result<(), ClientError> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.is_empty() {
            return Ok(());
        }
        let event = match name.as_str() {
            "snapshot" => Event::Snapshot(Box::new(from_json(&data)?)),
            "change" => Event::Change(Box::new(from_json(&data)?)),
            // A later daemon's.
            _ => return Ok(()),
        };
        self.ready.push_back(Told { id: self.id.clone(), event });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"at":"2026-01-31T12:00:00.000Z","waiting":0,"oldest_wait_s":0,"busy":0,"idle":0,"coming":0,"other":0,"target":0,"max":0,"new":1}"#;

    fn change(seq: u64) -> String {
        format!(
            r#"{{"seq":{seq},"status":{{}},"pools":[],"pools_gone":[],"runners":[],"runners_gone":[],"jobs":[],"jobs_gone":[],"ended":[],"ended_kept":0,"now":{SAMPLE},"added_later":true}}"#
        )
    }

    fn told(chunks: &[&[u8]]) -> Vec<(Option<String>, u64)> {
        let mut parser = Parser::default();
        for chunk in chunks {
            parser.feed(chunk).unwrap();
        }
        std::iter::from_fn(|| parser.next())
            .map(|told| match told.event {
                Event::Change(change) => (told.id, change.seq),
                Event::Snapshot(opening) => (told.id, opening.seq),
            })
            .collect()
    }

    #[test]
    fn events_come_out_whole_however_they_are_cut() {
        let (one, two) = (change(1), change(2));
        let text = format!(
            ": ghrunner\nretry: 2000\n\nevent: change\nid: 9-1\ndata: {one}\n\n: alive\n\nevent: later\ndata: x\n\nevent:change\r\nid:9-2\r\ndata:{two}\r\n\r\nevent: change\ndata: cut o"
        );
        let expected = vec![(Some("9-1".to_owned()), 1), (Some("9-2".to_owned()), 2)];
        assert_eq!(told(&[text.as_bytes()]), expected);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(told(&bytes), expected);
    }

    #[test]
    fn data_of_several_lines_is_one_text() {
        let two = change(2);
        let (head, tail) = two.split_at(two.find(",\"pools\"").unwrap());
        assert_eq!(told(&[format!("event: change\ndata: {head}\ndata: {tail}\n\n").as_bytes()]), [(None, 2)]);
    }

    #[test]
    fn an_event_that_makes_no_sense_is_an_error() {
        let mut parser = Parser::default();
        assert!(parser.feed(b"event: change\ndata: {}\n\n").is_err());
    }
}
