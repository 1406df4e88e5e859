//! What all requests share: the world behind its lock, the faults, the clock, the log.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use axum::http::request::Parts;
use bytes::Bytes;
use tokio::sync::watch;

use super::ExchangeLog;
use super::Mailbox;
use crate::clock::Clock;
use crate::clock::Moment;
use crate::faults::Faults;
use crate::faults::Kind;
use crate::faults::Plan;
use crate::rest;
use crate::rest::Call;
use crate::rest::Effects;
use crate::rest::Reply;
use crate::world::World;

/// How often the world is told that time passes.
const TICK: Duration = Duration::from_millis(100);

/// Everything that requests share; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    mailbox: Mutex<Mailbox>,
    faults: Mutex<Faults>,
    clock: Clock,
    log: ExchangeLog,
    advertise: Option<String>,
    /// Its own address: `http://host:port`.
    base: String,
    /// Counts changes of any kind.
    changed: watch::Sender<u64>,
    /// Counts changes while jobs wait: what polling runners care for.
    work: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(
        world: World,
        faults: Faults,
        clock: Clock,
        log: ExchangeLog,
        advertise: Option<String>,
        base: String,
    ) -> Self {
        let changed = watch::Sender::new(0);
        let work = watch::Sender::new(0);
        let stopping = watch::Sender::new(false);
        Self(Arc::new(Inner {
            world: Mutex::new(world),
            mailbox: Mutex::new(Mailbox::new()),
            faults: Mutex::new(faults),
            clock,
            log,
            advertise,
            base,
            changed,
            work,
            stopping,
        }))
    }

    pub(crate) fn now(&self) -> Moment {
        self.0.clock.now()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The world. Held for one method's time, never across an `await`.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while news are made into deliveries, so that they stay in order.
    pub(super) fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.0.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for the world to change, and has hooks told of what happened. Takes the
    /// lock: not to be called under it.
    pub(crate) fn bump(&self) {
        self.mailbox().collect(self);
        self.0.changed.send_modify(|n| *n += 1);
        if self.world().has_queue() {
            self.0.work.send_modify(|n| *n += 1);
        }
    }

    pub(crate) fn work(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Ends when the simulator is told to stop.
    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.0.stopping.subscribe().wait_for(|stop| *stop).await;
    }

    /// Lets time pass in the world until the simulator stops.
    pub(crate) async fn keep_time(self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.stopped() => return,
            }
            let now = self.now();
            if self.world().tick(now) {
                self.bump();
            }
        }
    }

    /// A request as the rest of the program wants it.
    pub(crate) fn call(&self, parts: Parts, body: Bytes) -> Call {
        let host = parts.headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or("localhost");
        let web = format!("http://{host}");
        let service = self.0.advertise.clone().unwrap_or_else(|| web.clone());
        Call::new(
            parts.method.as_str(),
            parts.uri.path(),
            parts.uri.query(),
            parts.headers,
            body,
            web,
            service,
        )
    }

    /// A request to the simulator's own address, for links in what it sends by itself.
    pub(crate) fn own_call(&self) -> Call {
        let headers = axum::http::HeaderMap::new();
        let base = self.0.base.clone();
        Call::new("GET", "/", None, headers, Bytes::new(), base.clone(), base)
    }

    pub(crate) fn plan(&self, call: &Call) -> Plan {
        self.faults().plan(&call.method, &call.path, self.now().up)
    }

    pub(crate) fn answer(&self, call: &Call, effects: &Effects) -> Reply {
        let now = self.now();
        let reply = rest::answer(&mut self.world(), call, effects, now);
        if call.method != "GET" && reply.status < 300 {
            self.bump();
        }
        reply
    }

    /// The answer of an injected fault, if it has one of its own.
    pub(crate) fn faulty(&self, call: &Call, kind: &Kind) -> Option<Reply> {
        let now = self.now();
        if crate::service::owns(&call.path) {
            return crate::service::faulty(&mut self.world(), call, kind, now);
        }
        rest::faulty(&mut self.world(), call, kind, now)
    }

    pub(crate) fn log(&self, call: &Call, reply: &Reply, injected: bool) {
        if let Err(error) = self.0.log.write(call, reply, injected) {
            tracing::warn!(%error, "Cannot write the exchange log");
        }
    }
}
