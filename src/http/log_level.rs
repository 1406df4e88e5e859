//! How much is logged, and for how long: `/api/v1/log-level`.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::Problem;
use super::dto;
use super::routes::Answer;
use super::routes::LONGEST;
use super::routes::span;
use crate::control::Clock;
use crate::control::Facade;
use crate::model::Time;

/// The longest filter that is read.
const MAX_TEXT: usize = 500;

type Change = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// The log's level, as one can change it. Cheap to clone.
#[derive(Clone)]
pub struct LogLevel {
    change: Arc<Change>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
struct State {
    level: String,
    /// Until when, and what it is then.
    passing: Option<(Time, String)>,
    /// Changes so far: one that was for a time is over only if nobody changed anything since.
    changes: u64,
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevel").field(&self.state).finish()
    }
}

impl Default for LogLevel {
    /// Of a process whose log nobody set up.
    fn default() -> Self {
        Self::new("info", |_| Ok(()))
    }
}

impl LogLevel {
    /// The level as it is, and what changes it or says what is wrong with a text.
    pub fn new(
        level: impl Into<String>,
        change: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let state = State { level: level.into(), passing: None, changes: 0 };
        Self { change: Arc::new(change), state: Arc::new(Mutex::new(state)) }
    }

    fn shown(&self) -> dto::LogLevel {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (until, then) = state.passing.map(|(until, then)| (until.into(), then)).unzip();
        dto::LogLevel { level: state.level, until, then }
    }

    /// Changes it, for a time or for good.
    fn set(&self, level: &str, time: Option<Duration>, now: Time) -> Result<(), String> {
        let changes = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (self.change)(level)?;
            let usual = state.passing.take().map_or_else(|| state.level.clone(), |(_, usual)| usual);
            state.passing = time.map(|time| (now + time, usual));
            level.clone_into(&mut state.level);
            state.changes += 1;
            state.changes
        };
        if let Some(time) = time {
            let this = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                this.revert(changes);
            });
        }
        Ok(())
    }

    fn revert(&self, changes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.changes != changes {
            return;
        }
        if let Some((_, usual)) = state.passing.take()
            && (self.change)(&usual).is_ok()
        {
            tracing::info!("The log's level is {usual} again");
            state.level = usual;
        }
    }
}

/// `/log-level`.
pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/log-level", get(log_level).put(set_log_level))
}

/// How much is logged.
#[utoipa::path(get, path = "/api/v1/log-level", tag = "daemon", responses((status = 200, body = dto::LogLevel)))]
pub(super) async fn log_level(Extension(level): Extension<LogLevel>) -> Json<dto::LogLevel> {
    Json(level.shown())
}

/// Log more or less, for a time or until the daemon ends.
#[utoipa::path(put, path = "/api/v1/log-level", tag = "daemon", request_body = dto::SetLogLevel,
    responses((status = 200, body = dto::LogLevel)))]
pub(super) async fn set_log_level(
    Extension(level): Extension<LogLevel>,
    Json(body): Json<dto::SetLogLevel>,
) -> Answer<dto::LogLevel> {
    let bad = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_level", detail);
    if body.level.len() > MAX_TEXT {
        return Err(bad(format!("a level has {MAX_TEXT} characters at most")));
    }
    let time = body.time.as_deref().map(|text| span(text, LONGEST)).transpose()?;
    level.set(&body.level, time, Clock::system().now()).map_err(bad)?;
    Ok(Json(level.shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_700_000_000_000);

    fn level() -> (LogLevel, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&told);
        let change = move |text: &str| match text {
            "loud" => Err("loud is no level".to_owned()),
            text => {
                list.lock().unwrap().push(text.to_owned());
                Ok(())
            }
        };
        (LogLevel::new("info", change), told)
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_for_a_time_goes_back_to_what_was_meant_for_good() {
        let (level, told) = level();
        level.set("debug", Some(Duration::from_secs(60)), NOW).unwrap();
        level.set("trace", Some(Duration::from_secs(600)), NOW).unwrap();
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(level.shown().level, "trace", "the first time is up, and the second holds");
        assert_eq!(level.shown().then.as_deref(), Some("info"));
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(level.shown(), dto::LogLevel { level: "info".to_owned(), until: None, then: None });
        level.set("warn", None, NOW).unwrap();
        tokio::time::sleep(Duration::from_secs(6000)).await;
        assert_eq!(level.shown().level, "warn");
        assert_eq!(*told.lock().unwrap(), ["debug", "trace", "info", "warn"]);
    }

    #[tokio::test]
    async fn nonsense_changes_nothing() {
        let (level, told) = level();
        assert_eq!(level.set("loud", None, NOW).unwrap_err(), "loud is no level");
        assert_eq!(level.shown().level, "info");
        assert!(told.lock().unwrap().is_empty());
    }
}
