//! Reading a body without being made to hold too much.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

use super::refusal::Refusal;

/// The room for bodies is counted in pieces of this size.
const PIECE: usize = 1024;
/// Room is made for this much at once, however much is declared.
const BEGIN_WITH: usize = 64 * 1024;

/// A body that was read, and the room that it takes.
pub(super) struct Read<'a> {
    bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'a>>,
}

impl Read<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Room for so many bytes of all bodies together.
pub(super) fn room(bytes: usize) -> Semaphore {
    Semaphore::new(bytes / PIECE)
}

/// Reads a body of at most `max` bytes. Room is taken as bytes arrive: whoever declares much and sends little holds little.
pub(super) async fn read<'a>(
    headers: &HeaderMap,
    mut body: Body,
    max: usize,
    room: &'a Semaphore,
) -> Result<Read<'a>, Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > max as u64) {
        return Err(Refusal::TooLarge);
    }
    let begin = declared.map_or(0, |declared| usize::try_from(declared).unwrap_or(max)).min(BEGIN_WITH);
    let (mut bytes, mut taken) = (Vec::with_capacity(begin), None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenOff)?.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(Refusal::TooLarge);
        }
        let pieces = |bytes: usize| bytes.div_ceil(PIECE);
        let more = pieces(bytes.len() + data.len()) - pieces(bytes.len());
        let more = u32::try_from(more).map_err(|_| Refusal::NoRoom)?;
        let permit = room.try_acquire_many(more).map_err(|_| Refusal::NoRoom)?;
        match &mut taken {
            None => taken = Some(permit),
            Some(taken) => taken.merge(permit),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Read { bytes, _room: taken })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(declared: Option<usize>, sent: usize, room: &Semaphore) -> Result<usize, Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(declared) = declared {
            headers.insert(CONTENT_LENGTH, declared.into());
        }
        read(&headers, Body::from(vec![b'x'; sent]), 10_000, room).await.map(|read| read.bytes().len())
    }

    #[tokio::test]
    async fn a_body_is_capped_by_its_word_and_by_its_bytes() {
        let room = room(1 << 20);
        assert_eq!(outcome(Some(10_000), 10_000, &room).await.unwrap(), 10_000);
        assert!(matches!(outcome(Some(10_001), 1, &room).await, Err(Refusal::TooLarge)));
        assert!(matches!(outcome(None, 10_001, &room).await, Err(Refusal::TooLarge)));
        assert_eq!(outcome(None, 0, &room).await.unwrap(), 0);
        assert_eq!(room.available_permits(), 1024, "all room is given back");
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_bound() {
        let room = room(12 * 1024);
        let headers = HeaderMap::new();
        let first = read(&headers, Body::from(vec![b'x'; 8_000]), 10_000, &room).await.unwrap();
        assert!(matches!(outcome(None, 8_000, &room).await, Err(Refusal::NoRoom)));
        drop(first);
        assert!(outcome(None, 8_000, &room).await.is_ok());
    }
}
