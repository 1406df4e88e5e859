//! `GET /metrics`: what a scrape by Prometheus shows.
//!
//! **Knows** names, labels and formats. Gauges are read off the last pass's snapshot, the rest off the meter into which the
//! other rooms write; a scrape asks nobody anything and waits for nothing.
//! **Does not know** how any of it came about.

mod arc;
mod catalogue;
mod counted;
mod daemon;
mod exposition;
mod fleet;
mod heard;

use std::fmt;

use axum::Router;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::VARY;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use tokio::time::Instant;

pub use catalogue::CATALOGUE;
pub use catalogue::Kind;
pub use catalogue::Metric;
use exposition::Exposition;

use super::Problem;
use crate::control::Clock;
use crate::control::Facade;
use crate::control::Snapshot;
use crate::model;
use crate::model::Histogram;
use crate::model::QUICK;
use crate::model::Readings;
use crate::model::Time;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The same metrics at the root, where scrapers look for them, and beside the rest of the API.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/metrics", get(metrics)).route("/api/v1/metrics", get(metrics_beside))
}

/// The daemon's metrics: OpenMetrics for who accepts it, else the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "metrics",
    responses((status = 200, content((String = "text/plain"), (String = "application/openmetrics-text")))))]
pub(super) async fn metrics(State(facade): State<Facade>, headers: HeaderMap) -> Response {
    let open = accepts_open_metrics(&headers);
    let text = render(&facade.snapshot(), &facade.meter().read(), Clock::system().now(), open);
    match (text, open) {
        (Ok(text), true) => ([(CONTENT_TYPE, OPEN_METRICS), (VARY, "accept")], text).into_response(),
        (Ok(text), false) => ([(CONTENT_TYPE, PLAIN), (VARY, "accept")], text).into_response(),
        (Err(fmt::Error), _) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics", "the metrics cannot be written")
                .into_response()
        }
    }
}

/// The same as `/metrics`.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "metrics",
    responses((status = 200, content((String = "text/plain"), (String = "application/openmetrics-text")))))]
pub(super) async fn metrics_beside(facade: State<Facade>, headers: HeaderMap) -> Response {
    metrics(facade, headers).await
}

/// Whether OpenMetrics is named in an `Accept` header, and not with a weight of nothing.
fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let refused = |p: &str| p.strip_prefix("q=").is_some_and(|q| q.parse::<f64>() == Ok(0.0));
        kind.eq_ignore_ascii_case("application/openmetrics-text") && !parts.any(refused)
    })
}

/// The text of a scrape at `now`.
fn render(snapshot: &Snapshot, readings: &Readings, now: Time, open: bool) -> Result<String, fmt::Error> {
    let mut out = Exposition::default();
    daemon::put(&mut out, snapshot, readings.watchdog, now);
    fleet::put(&mut out, snapshot);
    heard::put(&mut out, snapshot);
    counted::put(&mut out, readings);
    arc::put(&mut out, snapshot, readings);
    if open { out.openmetrics() } else { out.prometheus() }
}

/// Counts and times a request by the route that takes it.
pub(super) async fn count(State(facade): State<Facade>, request: Request, next: Next) -> Response {
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned());
    let begun = Instant::now();
    let response = next.run(request).await;
    let request = model::Request { method, route, status: response.status().as_u16() };
    facade.meter().note(|readings| {
        let times = readings.requests.entry(request).or_insert_with(|| Histogram::of(QUICK));
        times.time(begun.elapsed());
    });
    response
}

/// A method by its name, where it is one of those that HTTP has: others are as many as somebody likes to make up.
fn known(method: &Method) -> &'static str {
    let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS];
    let names = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];
    all.iter().position(|one| one == method).map_or("other", |at| names[at])
}

#[cfg(test)]
mod tests;
