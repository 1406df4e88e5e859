//! `GET /events`: the fleet as it changes, as server-sent events.
//!
//! **Knows** how many may listen, and how one who was away or is slow comes to know all again.
//! **Does not know** what any of it means.
//!
//! A listener begins with a `snapshot` and then gets `change`s, at most one a second, which are worked out and written
//! down once for all ([`hub`]). Each event has an id: who comes back with the last one in `Last-Event-ID` gets what they
//! missed, or a `snapshot` where that is not known any more. So does who reads too slowly.

mod hub;
mod view;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

pub(super) use self::hub::Hub;
use self::hub::LISTENERS;
use self::hub::Seat;
use super::Problem;
use crate::control::Facade;

/// A comment is sent after so long without an event, so that neither side nor anything between takes the silence for an end.
const ALIVE: Duration = Duration::from_secs(15);
/// What is sent at once: that the line stands, and how long to wait before coming back.
const HELLO: Bytes = Bytes::from_static(b": ghrunner\nretry: 2000\n\n");
const STILL_ALIVE: Bytes = Bytes::from_static(b": alive\n\n");

/// The route.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/events", get(events))
}

/// The fleet as it changes: a `snapshot` event, then `change` events.
#[utoipa::path(get, path = "/api/v1/events", tag = "service",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was had")),
    responses((status = 200, body = String, content_type = "text/event-stream",
        description = "`snapshot` and `change` events, whose data are `Opening` and `Change`")))]
pub(super) async fn events(
    State(facade): State<Facade>,
    Extension(hub): Extension<Arc<Hub>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut seat = hub.join(&facade, last).ok_or_else(full)?;
    seat.first.push_front(HELLO);
    let head = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // A proxy that collects what it passes on would hold back each event until the next ones.
        (axum::http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(heard(hub, seat))).into_response())
}

fn full() -> Problem {
    let detail = format!("{LISTENERS} listen already; ask again later, or read /status now and then");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners", detail)
}

/// What one listener is sent, until they leave or the daemon stops.
fn heard(hub: Arc<Hub>, seat: Seat) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((hub, seat), |(hub, mut seat)| async move {
        let next = match seat.first.pop_front() {
            Some(text) => text,
            None => next(&hub, &mut seat).await?,
        };
        Some((Ok(next), (hub, seat)))
    })
}

async fn next(hub: &Hub, seat: &mut Seat) -> Option<Bytes> {
    match tokio::time::timeout(ALIVE, seat.news.recv()).await {
        Err(_) => Some(STILL_ALIVE),
        Ok(Ok(frame)) => Some(frame.text),
        Ok(Err(RecvError::Closed)) => None,
        Ok(Err(RecvError::Lagged(_))) => {
            let (opening, news) = hub.again()?;
            seat.news = news;
            Some(opening)
        }
    }
}
