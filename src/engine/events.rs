//! The engine's events about containers of ours: a hint that looking again is worth it, never the news itself.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::stream;

use crate::model::ContainerId;
use crate::model::InstanceId;
use crate::model::Time;

use super::Clock;
use super::EngineError;
use super::EngineEvent;
use super::labels;
use super::link::LOOK;
use super::link::Link;

/// First and longest wait before connecting again: an engine's restart takes about a second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Events from this long before [`EngineEvent::Connected`] are told again, so that none falls between the two.
const OVERLAP: Duration = Duration::from_secs(1);

/// Those that change what a list shows. Left out are the echoes of our own looking (`top`, `exec_…`, `attach`), which would
/// wake the pass that looks.
const TELLING: [&str; 8] = ["create", "start", "restart", "pause", "unpause", "oom", "die", "destroy"];

type Messages = Pin<Box<dyn Stream<Item = Result<EventMessage, Error>> + Send>>;

struct Listener {
    link: Arc<Link>,
    instance: InstanceId,
    clock: Clock,
    messages: Option<Messages>,
    wait: Duration,
}

/// Never ends: connects again, and says so.
pub(super) fn events(
    link: Arc<Link>,
    instance: InstanceId,
    clock: Clock,
) -> impl Stream<Item = EngineEvent> + Send + use<> {
    let listener = Listener { link, instance, clock, messages: None, wait: Duration::ZERO };
    stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await;
        Some((event, listener))
    })
}

impl Listener {
    /// Cancel-safe: what was read is returned, and a connection that stands is kept.
    async fn next(&mut self) -> EngineEvent {
        loop {
            let Some(messages) = &mut self.messages else {
                self.connect().await;
                return EngineEvent::Connected;
            };
            match messages.next().await {
                Some(Ok(message)) => {
                    self.wait = Duration::ZERO;
                    if let Some(event) = told(message) {
                        return event;
                    }
                }
                Some(Err(err)) => self.lost(&err.to_string()),
                None => self.lost("the engine closed it"),
            }
        }
    }

    fn lost(&mut self, why: &str) {
        tracing::debug!(why, "the engine's events ended");
        self.messages = None;
        // Its next process may speak another version, and may have lost networks that were known.
        self.link.forget();
    }

    async fn connect(&mut self) {
        loop {
            tokio::time::sleep(self.wait).await;
            self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
            match self.listen().await {
                Ok(messages) => {
                    self.messages = Some(messages);
                    return;
                }
                Err(err) => tracing::debug!(%err, "no events from the engine"),
            }
        }
    }

    /// The stream itself is only opened by its first poll; that the engine answers is asked before.
    async fn listen(&mut self) -> Result<Messages, EngineError> {
        let since = (self.clock)() - OVERLAP;
        let docker = self.link.session().await?.docker.clone();
        self.link.call("answer", LOOK, async |session| session.docker.ping().await).await?;
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![labels::mine(&self.instance)]),
        ]);
        let options = EventsOptionsBuilder::new().since(&seconds(since)).filters(&filters).build();
        Ok(Box::pin(docker.events(Some(options))))
    }
}

fn seconds(time: Time) -> String {
    format!("{}.{:03}000000", time.0 / 1000, time.0 % 1000)
}

fn told(message: EventMessage) -> Option<EngineEvent> {
    let action = message.action?;
    // Podman's words for two of them.
    let action = match action.as_str() {
        "died" => "die",
        "remove" => "destroy",
        other => other,
    };
    let id = ContainerId::new(message.actor?.id?);
    TELLING.contains(&action).then(|| EngineEvent::Container { action: action.to_owned(), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_of_our_own_looking_are_not_told() {
        let message = |action: &str| EventMessage {
            action: Some(action.to_owned()),
            actor: Some(bollard::models::EventActor { id: Some("4f1".to_owned()), attributes: None }),
            ..Default::default()
        };
        for action in ["top", "exec_create: sh -c x", "exec_start: sh", "exec_die", "attach", "resize"] {
            assert_eq!(told(message(action)), None, "{action}");
        }
        for action in ["start", "die", "oom", "destroy", "died", "remove"] {
            assert!(told(message(action)).is_some(), "{action}");
        }
    }

    #[test]
    fn times_are_seconds_with_nanoseconds() {
        assert_eq!(seconds(Time(1_700_000_000_007)), "1700000000.007000000");
    }
}
