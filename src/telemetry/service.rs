//! Telemetry as the daemon runs it: one task that takes, and one that sends.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::exporter::Exporter;
use super::exporter::Tally;
use super::settings::Settings;
use super::span::Attributes;
use super::span::Span;
use super::tracer::Tracer;
use crate::control::DeedsTaken;
use crate::control::Snapshot;
use crate::model::Meter;

/// Spans that may wait to be sent: minutes of a busy fleet, and some megabytes.
const QUEUE: usize = 4096;
/// How long the last spans may take at the daemon's end.
const END: Duration = Duration::from_secs(2);

/// What the daemon is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which installation it is.
    pub instance: String,
    /// Where spans are counted.
    pub meter: Arc<Meter>,
}

/// The running telemetry. It does nothing until it is brought settings.
#[derive(Debug)]
pub struct Telemetry {
    settings: watch::Sender<Option<Arc<Settings>>>,
    /// Whether the control loop should leave its deeds.
    wanted: Arc<AtomicBool>,
    closing: CancellationToken,
    meter: Arc<Meter>,
    tasks: Mutex<Option<(JoinHandle<()>, JoinHandle<()>)>>,
}

impl Telemetry {
    /// Begins, with deeds that are left while `wanted` is set. Must be called within a tokio runtime.
    pub fn start(
        options: &Options,
        wanted: Arc<AtomicBool>,
        taken: DeedsTaken,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Self {
        let (settings, seen) = watch::channel(None);
        let (queue, queued) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let tally = Arc::new(Tally::new(Arc::clone(&options.meter)));
        let mut resource = Attributes::default();
        resource.text("service.version", env!("CARGO_PKG_VERSION"));
        resource.text("service.instance.id", &options.instance);
        let exporter = Exporter {
            queue: queued,
            settings: seen.clone(),
            tally: Arc::clone(&tally),
            resource,
            closing: closing.clone(),
            trouble: None,
            told: (0, None),
        };
        let taker = Taker {
            instance: options.instance.clone(),
            tally,
            queue,
            settings: seen,
            closing: closing.clone(),
        };
        let take = tokio::spawn(taker.run(taken, snapshots));
        let send = tokio::spawn(exporter.run());
        let meter = Arc::clone(&options.meter);
        Self { settings, wanted, closing, meter, tasks: Mutex::new(Some((take, send))) }
    }

    /// Takes what the file says now; none for no export.
    pub fn bring(&self, settings: Option<Settings>) {
        self.wanted.store(settings.is_some(), Ordering::Relaxed);
        self.meter.note(|readings| match settings {
            Some(_) => drop(readings.telemetry.get_or_insert_default()),
            None => readings.telemetry = None,
        });
        let settings = settings.map(Arc::new);
        self.settings.send_if_modified(|now| {
            let changed = *now != settings;
            *now = settings;
            changed
        });
    }

    /// Sends what waits, as far as that takes no longer than a moment, and ends.
    pub async fn end(&self) {
        self.closing.cancel();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((take, send)) = tasks {
            let both = async { (take.await.is_ok(), send.await.is_ok()) };
            if tokio::time::timeout(END, both).await.is_err() {
                tracing::warn!("The collector is slow: the last traces are lost");
            }
        }
    }
}

/// The task that takes what is shown and done, and never waits for the collector.
struct Taker {
    instance: String,
    tally: Arc<Tally>,
    queue: mpsc::Sender<Span>,
    settings: watch::Receiver<Option<Arc<Settings>>>,
    closing: CancellationToken,
}

impl Taker {
    async fn run(mut self, mut taken: DeedsTaken, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        while self.wait().await {
            // What was done while nobody listened is nobody's.
            while taken.deeds.try_recv().is_ok() {}
            let mut tracer = Tracer::new(&self.instance);
            let first = tracer.look(&snapshots.borrow_and_update());
            self.give(first);
            self.follow(&mut tracer, &mut taken, &mut snapshots).await;
            let last = tracer.finish();
            self.give(last);
        }
    }

    /// Waits until an export is wanted; false at the end.
    async fn wait(&mut self) -> bool {
        let closing = self.closing.clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => false,
            wanted = self.settings.wait_for(Option::is_some) => wanted.is_ok(),
        }
    }

    /// Takes until no export is wanted any more, or the daemon ends.
    async fn follow(
        &mut self,
        tracer: &mut Tracer,
        taken: &mut DeedsTaken,
        snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    ) {
        let closing = self.closing.clone();
        while self.settings.borrow_and_update().is_some() {
            let spans = tokio::select! {
                biased;
                Some(deed) = taken.deeds.recv() => tracer.hear(&deed),
                () = closing.cancelled() => break,
                Ok(()) = self.settings.changed() => continue,
                Ok(()) = snapshots.changed() => {
                    let next = Arc::clone(&snapshots.borrow_and_update());
                    tracer.look(&next)
                }
                else => break,
            };
            self.give(spans);
        }
    }

    fn give(&self, spans: Vec<Span>) {
        let part = self.settings.borrow().as_ref().map_or(0.0, |settings| settings.sample);
        let sampled = spans.into_iter().filter(|span| span.place.trace.is_sampled(part));
        let lost = sampled.filter_map(|span| self.queue.try_send(span).err()).count();
        if lost > 0 {
            self.tally.lose(lost);
        }
    }
}
