//! Images: what the engine has, and asking registries for more.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::model::ImageId;

use super::EngineError;
use super::Image;
use super::RegistryAuth;
use super::error::is_gone;
use super::link::LOOK;
use super::link::Link;
use super::registry_auth;
use super::stamp;

/// A pull that says nothing for so long has hung; engines report several times a second, and unpacking a layer of gigabytes
/// on a slow disk has been seen to be silent for a minute.
const SILENCE: Duration = Duration::from_secs(300);

/// What the engine has under that reference.
pub(super) async fn image(link: &Link, reference: &str) -> Result<Option<Image>, EngineError> {
    let found = link
        .call("look at an image", LOOK, async |session| session.docker.inspect_image(reference).await)
        .await;
    match found {
        Ok(image) => Ok(Some(Image {
            id: ImageId::new(image.id.unwrap_or_default()),
            created: image.created.as_deref().and_then(stamp::parse),
            digests: image.repo_digests.unwrap_or_default(),
        })),
        Err(err) if is_gone(&err) => Ok(None),
        Err(err) => Err(err),
    }
}

/// Pulls under way, so that nobody pulls the same reference twice at a time.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Pulls {
    fn of(&self, reference: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.retain(|_, lock| Arc::strong_count(lock) > 1);
        pulls.entry(reference.to_owned()).or_default().clone()
    }
}

/// Asks the registry; whoever comes while another asks for the same takes what that one got.
pub(super) async fn pull(
    link: &Link,
    pulls: &Pulls,
    auth: &RegistryAuth,
    reference: &str,
    progress: impl Fn(String) + Send + Sync,
) -> Result<Image, EngineError> {
    let one = pulls.of(reference);
    let guard = match one.try_lock() {
        Ok(guard) => guard,
        Err(_) => {
            let guard = one.lock().await;
            if let Some(image) = image(link, reference).await? {
                return Ok(image);
            }
            guard
        }
    };
    let begun = Instant::now();
    let asked = ask(link, auth, reference, progress).await;
    link.took("pull an image", asked.as_ref().err(), begun);
    asked?;
    drop(guard);
    image(link, reference)
        .await?
        .ok_or_else(|| failed(reference, "the engine has no such image after the pull", true))
}

async fn ask(
    link: &Link,
    auth: &RegistryAuth,
    reference: &str,
    progress: impl Fn(String) + Send + Sync,
) -> Result<(), EngineError> {
    let credentials = match auth().map_err(|why| failed(reference, &why, false))? {
        Some(config) => {
            registry_auth::choose(config.reveal(), reference).map_err(|why| failed(reference, &why, false))?
        }
        None => None,
    };
    let (name, tag) = parts(reference);
    let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let session = link.session().await?;
    let mut told = session.docker.create_image(Some(options), None, credentials);
    let mut layers = Layers::default();
    loop {
        match tokio::time::timeout(SILENCE, told.next()).await {
            Err(_) => return Err(failed(reference, "the engine says nothing of it any more", true)),
            Ok(None) => return Ok(()),
            Ok(Some(Err(err))) => return Err(refused(link, reference, err)),
            Ok(Some(Ok(info))) => {
                if let Some(why) = info.error_detail.as_ref().and_then(|detail| detail.message.as_deref()) {
                    return Err(failed(reference, why, is_passing(why)));
                }
                if let Some(words) = layers.take(info) {
                    progress(words);
                }
            }
        }
    }
}

/// Name, and tag or digest: without the latter, the engine would pull every tag there is.
fn parts(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        let repository = split_tag(name).0;
        return (repository, digest);
    }
    split_tag(reference)
}

fn split_tag(reference: &str) -> (&str, &str) {
    let last = reference.rfind('/').map_or(0, |at| at + 1);
    match reference[last..].find(':') {
        Some(at) => (&reference[..last + at], &reference[last + at + 1..]),
        None => (reference, "latest"),
    }
}

fn refused(link: &Link, reference: &str, err: Error) -> EngineError {
    match link.told("pull an image", SILENCE, err) {
        EngineError::Refused { message, .. } => failed(reference, &message, is_passing(&message)),
        EngineError::NoSuchImage { image } => {
            failed(reference, &format!("the registry has no image {image}"), false)
        }
        other => other,
    }
}

fn failed(reference: &str, why: &str, passing: bool) -> EngineError {
    EngineError::Pull { image: reference.to_owned(), why: why.to_owned(), passing }
}

/// Whether asking again may help. What a registry says of absence and of rights stays; all else (its limits, its faults, the
/// way to it) may pass.
fn is_passing(why: &str) -> bool {
    const STAYS: [&str; 11] = [
        "manifest unknown",
        "not found",
        "name unknown",
        "does not exist",
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
        "access denied",
        "denied:",
        "no matching manifest",
        "invalid reference format",
    ];
    let why = why.to_ascii_lowercase();
    why.contains("toomanyrequests") || !STAYS.iter().any(|words| why.contains(words))
}

/// How far each layer has come.
#[derive(Default)]
struct Layers {
    by_id: BTreeMap<String, Layer>,
    told: String,
}

#[derive(Default)]
struct Layer {
    done: bool,
    current: i64,
    total: i64,
}

impl Layers {
    /// The new words, if they changed.
    fn take(&mut self, info: CreateImageInfo) -> Option<String> {
        let status = info.status?;
        let id = info.id?;
        let layer = match status.as_str() {
            "Pulling fs layer" | "Waiting" | "Already exists" | "Pull complete" | "Downloading"
            | "Extracting" | "Verifying Checksum" | "Download complete" => self.by_id.entry(id).or_default(),
            // `latest: Pulling from library/x`, digests and the end.
            _ => return None,
        };
        layer.done = matches!(status.as_str(), "Already exists" | "Pull complete");
        if status == "Downloading"
            && let Some(detail) = info.progress_detail
        {
            layer.current = detail.current.unwrap_or(layer.current);
            layer.total = detail.total.unwrap_or(layer.total);
        }
        if status != "Downloading" && status != "Pulling fs layer" && status != "Waiting" {
            layer.current = layer.total;
        }
        let words = self.words();
        (words != self.told).then(|| {
            self.told.clone_from(&words);
            words
        })
    }

    /// Such as `3 of 7 layers, 45%`; the share is that of the bytes known so far.
    fn words(&self) -> String {
        let done = self.by_id.values().filter(|layer| layer.done).count();
        let layers = format!("{done} of {} layers", self.by_id.len());
        let total: i64 = self.by_id.values().map(|layer| layer.total).sum();
        let current: i64 = self.by_id.values().map(|layer| layer.current.min(layer.total)).sum();
        if total > 0 { format!("{layers}, {}%", current * 100 / total) } else { layers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_name_and_tag_or_digest() {
        for (reference, wanted) in [
            ("alpine", ("alpine", "latest")),
            ("alpine:3", ("alpine", "3")),
            ("localhost:5000/a/b", ("localhost:5000/a/b", "latest")),
            ("localhost:5000/a/b:c", ("localhost:5000/a/b", "c")),
            ("ghcr.io/a/b@sha256:00", ("ghcr.io/a/b", "sha256:00")),
            ("ghcr.io/a/b:c@sha256:00", ("ghcr.io/a/b", "sha256:00")),
        ] {
            assert_eq!(parts(reference), wanted, "{reference}");
        }
    }

    #[test]
    fn absence_and_rights_stay_while_limits_and_networks_pass() {
        for stays in [
            "manifest for x:y not found: manifest unknown: manifest unknown",
            "pull access denied for x, repository does not exist or may require 'docker login'",
            "unauthorized: authentication required",
            "Head \"http://127.0.0.1:5000/v2/x/manifests/1\": no basic auth credentials",
        ] {
            assert!(!is_passing(stays), "{stays}");
        }
        for passes in [
            "Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: i/o timeout",
            "dial tcp 127.0.0.1:5999: connect: connection refused",
            "toomanyrequests: You have reached your pull rate limit. unauthorized",
            "received unexpected HTTP status: 503 Service Unavailable",
            "unexpected EOF",
        ] {
            assert!(is_passing(passes), "{passes}");
        }
    }

    #[test]
    fn progress_is_told_in_words_when_it_changes() {
        let info = |id: &str, status: &str, bytes: Option<(i64, i64)>| CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: bytes.map(|(current, total)| bollard::models::ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..Default::default()
        };
        let mut layers = Layers::default();
        assert_eq!(layers.take(info("latest", "Pulling from x/y", None)), None);
        assert_eq!(layers.take(info("a", "Already exists", None)).unwrap(), "1 of 1 layers");
        assert_eq!(layers.take(info("b", "Pulling fs layer", None)).unwrap(), "1 of 2 layers");
        assert_eq!(layers.take(info("b", "Downloading", Some((45, 100)))).unwrap(), "1 of 2 layers, 45%");
        assert_eq!(layers.take(info("b", "Downloading", Some((45, 100)))), None);
        assert_eq!(layers.take(info("b", "Download complete", None)).unwrap(), "1 of 2 layers, 100%");
        assert_eq!(layers.take(info("b", "Pull complete", None)).unwrap(), "2 of 2 layers, 100%");
    }
}
