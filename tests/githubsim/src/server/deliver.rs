//! Deliveries: news are made into requests, sent, and what became of them is kept.
//!
//! Each hook has a line of its own. The next delivery goes out when the one before is answered or
//! has taken too long, so that order is kept with a quick receiver and lost with a slow one.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::Shared;
use crate::faults::Kind;
use crate::faults::Plan;
use crate::rest;
use crate::world::Delivery;
use crate::world::Hook;
use crate::world::Parcel;

/// How long the next delivery waits for an answer to the one before.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a delivery that is to come second waits for a first.
const OVERTAKE: Duration = Duration::from_secs(5);

/// A delivery on its way.
#[derive(Debug, Clone)]
struct Outgoing {
    hook: u64,
    parcel: Parcel,
    redelivery: bool,
    latency: Duration,
    /// What is made up of its answer, if it is not to be sent at all.
    failure: Option<Kind>,
    reorder: bool,
    mis_sign: bool,
}

/// A request as it is sent.
#[derive(Debug)]
struct Sent {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    limit: Duration,
}

/// How the receiver answered.
#[derive(Debug)]
struct Outcome {
    code: u16,
    status: String,
    headers: Option<Map<String, Value>>,
    body: Option<String>,
}

impl Outcome {
    fn failed(code: u16, status: &str) -> Self {
        Self { code, status: status.into(), headers: None, body: None }
    }
}

/// Where deliveries are put until somebody makes them.
#[derive(Debug)]
pub(crate) struct Mailbox {
    sender: mpsc::UnboundedSender<Outgoing>,
    receiver: Option<mpsc::UnboundedReceiver<Outgoing>>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver: Some(receiver) }
    }

    /// Makes deliveries of what has happened, as the faults in force have it.
    pub(crate) fn collect(&mut self, shared: &Shared) {
        for (hook, parcel, redelivery) in due(shared) {
            self.put(shared, hook, parcel, redelivery);
        }
    }

    fn put(&self, shared: &Shared, hook: u64, parcel: Parcel, redelivery: bool) {
        let path = format!("/hooks/{hook}/{}/{}", parcel.event, parcel.action.unwrap_or("none"));
        let plan: Plan = shared.faults().plan(HOOK, &path, shared.now().up);
        if plan.effects.lose {
            return;
        }
        let outgoing = Outgoing {
            hook,
            parcel,
            redelivery,
            latency: plan.latency,
            failure: plan.answer.map(|(kind, _)| kind),
            reorder: plan.effects.reorder,
            mis_sign: plan.effects.mis_sign,
        };
        // Nobody takes them any more when the simulator has stopped.
        if plan.effects.duplicate {
            let _ = self.sender.send(outgoing.clone());
        }
        let _ = self.sender.send(outgoing);
    }
}

/// Delivers until the simulator stops.
pub(crate) async fn deliver(shared: Shared) {
    let Some(mut mail) = shared.mailbox().receiver.take() else {
        return;
    };
    let mut lines: HashMap<u64, mpsc::UnboundedSender<Outgoing>> = HashMap::new();
    loop {
        let outgoing = tokio::select! {
            outgoing = mail.recv() => outgoing,
            () = shared.stopped() => return,
        };
        let Some(outgoing) = outgoing else {
            return;
        };
        let line = lines.entry(outgoing.hook).or_insert_with(|| line(&shared)).clone();
        if outgoing.latency.is_zero() {
            let _ = line.send(outgoing);
            continue;
        }
        tokio::spawn(async move {
            tokio::time::sleep(outgoing.latency).await;
            let _ = line.send(outgoing);
        });
    }
}

/// What is to be delivered now: to whom, what, and whether again.
fn due(shared: &Shared) -> Vec<(u64, Parcel, bool)> {
    let mut world = shared.world();
    let news = world.take_news();
    let mut due: Vec<(u64, Parcel, bool)> =
        world.take_redeliveries().into_iter().map(|(hook, parcel)| (hook, parcel, true)).collect();
    if news.is_empty() {
        return due;
    }
    let at = shared.own_call();
    for noted in news {
        for (hook, installation) in world.listeners(&noted.news) {
            let payload = rest::payload(&world, &at, hook, &noted.news, installation);
            let parcel = Parcel {
                guid: noted.guid.clone(),
                event: noted.news.event(),
                action: noted.news.action(),
                installation,
                repository: noted.news.repository().map(|r| r.id),
                payload,
            };
            due.push((hook.id, parcel, false));
        }
    }
    due
}

/// The word that stands for a method in faults of deliveries.
pub(crate) const HOOK: &str = "HOOK";

fn line(shared: &Shared) -> mpsc::UnboundedSender<Outgoing> {
    let (sender, mut waiting) = mpsc::unbounded_channel::<Outgoing>();
    let shared = shared.clone();
    tokio::spawn(async move {
        let mut held: Option<Outgoing> = None;
        loop {
            let next = match &held {
                None => waiting.recv().await,
                Some(_) => match tokio::time::timeout(OVERTAKE, waiting.recv()).await {
                    Ok(next) => next,
                    Err(_) => held.take(),
                },
            };
            match next {
                None => return,
                Some(mut late) if late.reorder && held.is_none() => {
                    late.reorder = false;
                    held = Some(late);
                }
                Some(next) => {
                    send(&shared, next).await;
                    if let Some(late) = held.take() {
                        send(&shared, late).await;
                    }
                }
            }
        }
    });
    sender
}

/// Sends one delivery, and waits for its end as long as is decent.
async fn send(shared: &Shared, outgoing: Outgoing) {
    let sending = tokio::spawn(attempt(shared.clone(), outgoing));
    // Too slow a receiver is waited for elsewhere.
    let _ = tokio::time::timeout(PATIENCE, sending).await;
}

async fn attempt(shared: Shared, outgoing: Outgoing) {
    let Some(sent) = request(&shared, &outgoing) else {
        return;
    };
    let at = shared.now();
    let headers = sent.headers.iter().map(|(n, v)| (n.to_string(), Value::from(v.clone()))).collect();
    let url = sent.url.clone();
    let outcome = match &outgoing.failure {
        Some(Kind::Status(code)) => Outcome::failed(*code, &format!("Invalid HTTP Response: {code}")),
        Some(_) => Outcome::failed(502, "failed to connect"),
        None => post(sent).await,
    };
    let after = shared.now();
    let delivery = Delivery {
        id: shared.world().fresh_id(),
        parcel: outgoing.parcel,
        url,
        at,
        redelivery: outgoing.redelivery,
        duration_secs: after.up.saturating_sub(at.up).as_millis() as f64 / 1000.0,
        status: outcome.status,
        code: outcome.code,
        request_headers: headers,
        response_headers: outcome.headers,
        response_body: outcome.body,
    };
    shared.world().record_delivery(outgoing.hook, delivery);
    shared.bump();
}

fn request(shared: &Shared, outgoing: &Outgoing) -> Option<Sent> {
    let world = shared.world();
    let hook: &Hook = world.hook_by_id(outgoing.hook)?;
    let parcel = &outgoing.parcel;
    let text = parcel.payload.to_string();
    let body = if hook.form { format!("payload={}", rest::escaped(&text)) } else { text };
    let kind = if hook.form { "application/x-www-form-urlencoded" } else { "application/json" };
    let mut headers = vec![
        ("accept", "*/*".to_string()),
        ("content-type", kind.to_string()),
        ("user-agent", "GitHub-Hookshot/0123abc".to_string()),
        ("x-github-delivery", parcel.guid.clone()),
        ("x-github-event", parcel.event.to_string()),
        ("x-github-hook-id", hook.id.to_string()),
        ("x-github-hook-installation-target-id", hook.owner.id().to_string()),
        ("x-github-hook-installation-target-type", hook.owner.words().1.to_string()),
    ];
    if let Some(secret) = &hook.secret {
        let wrong = format!("{secret}-not");
        let key = if outgoing.mis_sign { &wrong } else { secret };
        headers.push(("x-hub-signature-256", signature(key, &body)));
    }
    Some(Sent { url: hook.url.clone(), headers, body, limit: world.settings.hook_timeout })
}

fn signature(secret: &str, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = ring::hmac::sign(&key, body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256={hex}")
}

/// Posts on a thread of its own: nothing waits for it when the simulator stops.
async fn post(sent: Sent) -> Outcome {
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits for it any more if the simulator has stopped.
        let _ = answer.send(exchange(&sent));
    });
    answered.await.unwrap_or_else(|_| Outcome::failed(502, "failed to connect"))
}

fn exchange(sent: &Sent) -> Outcome {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(sent.limit))
        .build()
        .into();
    let mut request = agent.post(&sent.url);
    for (name, value) in &sent.headers {
        request = request.header(*name, value);
    }
    match request.send(&sent.body) {
        Ok(mut answer) => {
            let code = answer.status().as_u16();
            let good = (200..400).contains(&code);
            let text = |v: &ureq::http::HeaderValue| v.to_str().unwrap_or_default().to_string();
            let headers = answer.headers().iter().map(|(n, v)| (n.to_string(), text(v).into())).collect();
            let status = if good { "OK".into() } else { format!("Invalid HTTP Response: {code}") };
            let body = answer.body_mut().read_to_string().ok();
            Outcome { code, status, headers: Some(headers), body }
        }
        Err(ureq::Error::Timeout(_)) => Outcome::failed(504, "timed out"),
        Err(_) => Outcome::failed(502, "failed to connect"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_as_github_s_documentation_has_it() {
        assert_eq!(
            signature("It's a Secret to Everybody", "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
