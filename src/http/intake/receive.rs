//! One request, from its head to the answer.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use std::net::IpAddr;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::Instant;

use super::IntakeLimits;
use super::IntakeSettings;
use super::Peer;
use super::body;
use super::client;
use super::refusal::Refusal;
use super::refusal::Refusals;
use super::seen::Seen;
use super::signature::Signature;
use crate::demand::Inlet;
use crate::demand::parse_hook;
use crate::http::pace::Pace;

/// What requests share.
pub(super) struct Desk {
    settings: watch::Receiver<Arc<IntakeSettings>>,
    inlet: Inlet,
    pace: Mutex<Pace>,
    seen: Mutex<Seen>,
    refusals: Mutex<Refusals>,
    room: Semaphore,
    body_timeout: Duration,
    /// Whether deliveries were sent away because something was not known yet.
    was_not_ready: AtomicBool,
}

impl Desk {
    pub(super) fn new(
        settings: watch::Receiver<Arc<IntakeSettings>>,
        inlet: Inlet,
        limits: &IntakeLimits,
    ) -> Self {
        Self {
            settings,
            inlet,
            pace: Mutex::default(),
            seen: Mutex::default(),
            refusals: Mutex::default(),
            room: body::room(limits.bodies),
            body_timeout: limits.body_timeout,
            was_not_ready: AtomicBool::new(false),
        }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        client::is_in(address, &self.settings.borrow().trusted_proxies)
    }
}

/// Takes a delivery, or refuses it.
pub(super) async fn receive(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let settings = Arc::clone(&desk.settings.borrow());
    let (head, body) = request.into_parts();
    let address = client::address(&head, &settings.trusted_proxies);
    match desk.judge(&settings, &head, body, address).await {
        Ok(()) => {
            if desk.was_not_ready.swap(false, Ordering::Relaxed) {
                desk.inlet.missed();
            }
            StatusCode::ACCEPTED.into_response()
        }
        Err(refusal) => {
            if matches!(refusal, Refusal::NotReady) {
                desk.was_not_ready.store(true, Ordering::Relaxed);
            }
            desk.inlet.refused();
            locked(&desk.refusals).tell(&refusal, address, Instant::now());
            refusal.into_response()
        }
    }
}

impl Desk {
    /// The order of this function is the intake's safety: what costs least comes first, and nothing is believed before
    /// its signature was seen to be good.
    async fn judge(
        &self,
        settings: &IntakeSettings,
        head: &Parts,
        body: Body,
        address: IpAddr,
    ) -> Result<(), Refusal> {
        if !locked(&self.pace).admit(address, settings.rate, Instant::now()) {
            return Err(Refusal::Pace);
        }
        self.may_deliver(settings, address)?;
        if head.uri.path() != settings.path {
            return Err(Refusal::Path);
        }
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        if settings.secrets.is_empty() {
            return Err(Refusal::NotReady);
        }
        let signature = Signature::of(&head.headers).ok_or(Refusal::Unsigned)?;
        let body = tokio::time::timeout(
            self.body_timeout,
            body::read(&head.headers, body, settings.max_body, &self.room),
        );
        let body = body.await.map_err(|_| Refusal::Slow)??;
        if !signature.is_good(body.bytes(), &settings.secrets) {
            return Err(Refusal::Unsigned);
        }
        locked(&self.pace).give_back(address, settings.rate);
        self.hand_over(&head.headers, body.bytes())
    }

    fn may_deliver(&self, settings: &IntakeSettings, address: IpAddr) -> Result<(), Refusal> {
        if !settings.only_github {
            return Ok(());
        }
        let networks = self.inlet.networks().ok_or(Refusal::NotReady)?;
        if client::is_in(address, &networks) { Ok(()) } else { Err(Refusal::Address) }
    }

    /// From here on GitHub speaks.
    fn hand_over(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let form = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if form.is_some_and(|form| form.starts_with("application/x-www-form-urlencoded")) {
            return Err(Refusal::Form);
        }
        let event = text("x-github-event").ok_or(Refusal::Senseless("it names no event".to_owned()))?;
        let senseless = |why: String| Refusal::Senseless(format!("{event}: {why}"));
        let news = parse_hook(event, body).map_err(senseless)?;
        let guid = text("x-github-delivery");
        if guid.is_some_and(|guid| locked(&self.seen).knows(guid)) {
            return Ok(());
        }
        // One that finds no room has not been seen: it will come again.
        self.inlet.offer(news).map_err(|_| Refusal::Full)?;
        if let Some(guid) = guid {
            locked(&self.seen).note(guid);
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address at the other end, without which no request is made.
pub(super) fn peer(head: &Parts) -> Option<IpAddr> {
    head.extensions.get::<Peer>().map(|peer| peer.0)
}
