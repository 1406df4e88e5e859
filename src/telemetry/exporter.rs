//! The task that sends: batches, a few attempts, and then the next batch.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::settings::Settings;
use super::span::Attributes;
use super::span::Span;
use super::trouble::Trouble;
use super::wire;
use crate::model::Meter;

/// The most spans of one request, and how long the first one waits for company: OpenTelemetry's own numbers, with less
/// patience, since people look for a job's trace when it has ended.
const BATCH: usize = 512;
const LINGER: Duration = Duration::from_secs(2);
/// How often the same spans are sent, and the waits between.
const ATTEMPTS: u32 = 5;
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often losses are told of while the collector takes spans, only not all.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Spans that came through, and those that did not.
#[derive(Debug)]
pub(super) struct Tally {
    meter: Arc<Meter>,
    dropped: AtomicU64,
}

impl Tally {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, dropped: AtomicU64::new(0) }
    }

    /// Some are lost.
    pub(super) fn lose(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
        self.meter.note(|readings| readings.telemetry.get_or_insert_default().dropped += spans as u64);
    }

    fn export(&self, spans: usize) {
        self.meter.note(|readings| readings.telemetry.get_or_insert_default().exported += spans as u64);
    }

    fn failing(&self, failing: bool) {
        self.meter.note(|readings| readings.telemetry.get_or_insert_default().failing = failing);
    }
}

/// The task.
pub(super) struct Exporter {
    pub(super) queue: mpsc::Receiver<Span>,
    pub(super) settings: watch::Receiver<Option<Arc<Settings>>>,
    pub(super) tally: Arc<Tally>,
    /// What is said of the daemon with each request, but the service's name.
    pub(super) resource: Attributes,
    pub(super) closing: CancellationToken,
    /// Why nothing is taken, as it was told.
    pub(super) trouble: Option<String>,
    /// How many were lost when it was last told, and when that was.
    pub(super) told: (u64, Option<Instant>),
}

impl Exporter {
    /// Sends until nobody has any more spans.
    pub(super) async fn run(mut self) {
        let mut client: Option<(Arc<Settings>, Client)> = None;
        let mut batch = Vec::new();
        while self.fill(&mut batch).await {
            let settings = self.settings.borrow_and_update().clone();
            let Some(settings) = settings else {
                // Nobody wants them any more.
                batch.clear();
                client = None;
                continue;
            };
            if client.as_ref().is_none_or(|(made_for, _)| *made_for != settings) {
                client = match Client::new(&settings) {
                    Ok(made) => Some((Arc::clone(&settings), made)),
                    Err(why) => {
                        self.ill(&why);
                        None
                    }
                };
            }
            match &client {
                Some((_, client)) => self.deliver(client, &settings, &batch).await,
                None => self.tally.lose(batch.len()),
            }
            batch.clear();
        }
    }

    /// Waits for spans; false once there will be none.
    async fn fill(&mut self, batch: &mut Vec<Span>) -> bool {
        if self.queue.recv_many(batch, BATCH).await == 0 {
            return false;
        }
        let deadline = Instant::now() + LINGER;
        let closing = self.closing.clone();
        while batch.len() < BATCH {
            let more = BATCH - batch.len();
            tokio::select! {
                biased;
                // Whoever ends has no time to wait: what is there goes now.
                () = closing.cancelled() => {
                    while batch.len() < BATCH && let Ok(span) = self.queue.try_recv() {
                        batch.push(span);
                    }
                    break;
                }
                found = self.queue.recv_many(batch, more) => if found == 0 { break },
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        true
    }

    async fn deliver(&mut self, client: &Client, settings: &Settings, batch: &[Span]) {
        let mut resource = self.resource.clone();
        resource.text("service.name", &settings.service_name);
        let body = Bytes::from(wire::request(&resource, batch));
        let mut wait = WAITS.0;
        for attempt in 1..=ATTEMPTS {
            match client.send(body.clone()).await {
                Ok(part) => {
                    let refused = usize::try_from(part.rejected_spans).unwrap_or(0).min(batch.len());
                    self.tally.export(batch.len() - refused);
                    if refused == 0 {
                        self.well();
                    } else {
                        self.tally.lose(refused);
                        self.ill(&format!(
                            "the collector takes a part only: {}",
                            one_line(&part.error_message)
                        ));
                    }
                    return;
                }
                Err(Trouble { why, again }) => {
                    self.ill(&why);
                    let Some(asked) = again.filter(|_| attempt < ATTEMPTS) else { break };
                    if !self.rest(wait.max(asked)).await {
                        break;
                    }
                    wait = (wait * 2).min(WAITS.1);
                }
            }
        }
        self.tally.lose(batch.len());
    }

    /// Waits before the next attempt; false where there should be none: the daemon ends, or the file says another thing.
    async fn rest(&mut self, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.closing.cancelled() => false,
            _ = self.settings.changed() => {
                self.settings.mark_changed();
                false
            }
        }
    }

    /// Nothing comes through, for this reason.
    fn ill(&mut self, why: &str) {
        self.tally.failing(true);
        if self.trouble.as_deref() != Some(why) {
            tracing::warn!("Traces are not exported, the fleet goes on: {why}");
            self.trouble = Some(why.to_owned());
        }
    }

    /// All came through.
    fn well(&mut self) {
        self.tally.failing(false);
        let dropped = self.tally.dropped.load(Ordering::Relaxed);
        let lost = dropped - self.told.0;
        if self.trouble.take().is_some() {
            tracing::info!("Traces are exported again; {lost} spans were lost");
        } else if lost > 0 && self.told.1.is_none_or(|at| at.elapsed() > TOLD_EVERY) {
            tracing::warn!("The collector is slow: {lost} spans were lost; lower sample in [telemetry]");
        } else {
            return;
        }
        self.told = (dropped, Some(Instant::now()));
    }
}

/// What others say, in a line of the journal.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}
