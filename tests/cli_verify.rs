//! `verify` against an engine that is made up, one way of failing at a time.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::sync::Mutex;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream;
use ghrunner::cli::verify::Trial;
use ghrunner::cli::verify::Verdict;
use ghrunner::cli::verify::verify;
use ghrunner::config::Config;
use ghrunner::engine::Admission;
use ghrunner::engine::End;
use ghrunner::engine::Engine;
use ghrunner::engine::EngineError;
use ghrunner::engine::EngineEvent;
use ghrunner::engine::EngineInfo;
use ghrunner::engine::Image;
use ghrunner::engine::NewRunner;
use ghrunner::engine::Worker;
use ghrunner::model::Container;
use ghrunner::model::ContainerId;
use ghrunner::model::ContainerState;
use ghrunner::model::ImageId;
use ghrunner::model::InstanceId;
use ghrunner::model::Leftover;
use ghrunner::model::Pool;
use ghrunner::model::Role;
use ghrunner::model::Time;
use ghrunner::model::Usage;

/// One container at most, and how it is to end.
#[derive(Default)]
struct OneContainer {
    images: Vec<&'static str>,
    end: Option<End>,
    start_error: Option<EngineError>,
    leftovers: Vec<Leftover>,
    made: Mutex<Option<Container>>,
    calls: Mutex<Vec<String>>,
}

impl OneContainer {
    fn with(images: &[&'static str], end: Option<End>) -> Self {
        Self { images: images.to_vec(), end, ..Self::default() }
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn calls(&self) -> String {
        self.calls.lock().unwrap().join(" ")
    }
}

fn image(reference: &str) -> Image {
    Image { id: ImageId::new(format!("sha256:{reference}")), created: None, digests: Vec::new() }
}

impl Engine for OneContainer {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        Ok(EngineInfo {
            product: "Fake".to_owned(),
            version: "1".to_owned(),
            api_version: "1.41".to_owned(),
            cpus: None,
            memory: None,
            root_dir: None,
            disk_free: None,
            storage_driver: "none".to_owned(),
            cgroup_driver: "systemd".to_owned(),
            runtimes: Vec::new(),
        })
    }

    async fn list(&self) -> Result<Vec<Container>, EngineError> {
        Ok(self.made.lock().unwrap().iter().cloned().collect())
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, EngineError> {
        Ok(self.leftovers.clone())
    }

    async fn create(&self, new: &NewRunner) -> Result<ContainerId, EngineError> {
        assert!(matches!(new.admission, Admission::Nothing), "a trial registers nothing");
        self.note("create");
        let id = ContainerId::new("c1");
        *self.made.lock().unwrap() = Some(Container {
            id: id.clone(),
            name: format!("{}-canary", new.plan.pool.container_name(new.plan.slot)),
            role: Role::Canary,
            pool: new.plan.pool.clone(),
            slot: new.plan.slot,
            runner_name: new.plan.name.clone(),
            runner_id: None,
            scope: new.plan.scope.clone(),
            credentials: new.plan.credentials.clone(),
            spec_hash: new.plan.spec_hash.clone(),
            image_id: ImageId::new("i"),
            created: Time(1),
            state: ContainerState::Created,
        });
        Ok(id)
    }

    async fn start(&self, _: &NewRunner, _: &ContainerId) -> Result<(), EngineError> {
        self.note("start");
        self.start_error.clone().map_or(Ok(()), Err)
    }

    async fn worker(&self, _: &ContainerId) -> Result<Worker, EngineError> {
        Ok(Worker::Absent)
    }

    async fn stop(&self, _: &ContainerId, _: Duration) -> Result<(), EngineError> {
        self.note("stop");
        Ok(())
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        self.note(format!("remove:{}", container.name));
        *self.made.lock().unwrap() = None;
        Ok(())
    }

    async fn collect(&self, leftover: &Leftover) -> Result<(), EngineError> {
        self.note(format!("collect:{}", leftover.key()));
        Ok(())
    }

    async fn end(&self, _: &ContainerId) -> Result<Option<End>, EngineError> {
        Ok(Some(self.end.clone().unwrap_or_default()))
    }

    async fn usage(&self, _: &ContainerId) -> Result<Option<Usage>, EngineError> {
        Ok(None)
    }

    async fn output(&self, _: &ContainerId, _: usize) -> Result<String, EngineError> {
        Ok("2.330.0\n".to_owned())
    }

    fn follow(
        &self,
        _: &ContainerId,
        _: usize,
        _: bool,
    ) -> impl Stream<Item = Result<bytes::Bytes, EngineError>> + Send + use<> {
        stream::empty()
    }

    fn events(&self) -> impl Stream<Item = EngineEvent> + Send + use<> {
        stream::pending()
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        Ok(self.images.contains(&reference).then(|| image(reference)))
    }

    async fn pull(
        &self,
        reference: &str,
        progress: impl Fn(String) + Send + Sync,
    ) -> Result<Image, EngineError> {
        self.note(format!("pull:{reference}"));
        progress(format!("pulling {reference}"));
        match reference {
            "absent:1" => Err(EngineError::Pull {
                image: reference.to_owned(),
                why: "manifest unknown".to_owned(),
                passing: false,
            }),
            _ => Ok(image(reference)),
        }
    }
}

fn pool(lines: &str) -> Pool {
    let text = format!(
        "[github]\ntoken = {{ env = \"T\" }}\n[pools.build]\norg = \"acme\"\nmax = 2\nlabels = [\"x\"]\nmemory = \"64MiB\"\n{lines}\n"
    );
    let config = Config::from_text("pools.toml", &text).into_result().unwrap_or_else(|e| panic!("{e}"));
    config.pools.into_values().next().unwrap()
}

async fn tried(engine: &OneContainer, pool: Pool) -> Verdict {
    let trial =
        Trial { pool, instance: InstanceId::new("k7x2p"), command: None, timeout: Duration::from_secs(30) };
    verify(engine, &trial, |_| {}).await.unwrap()
}

fn ended(exit_code: i64) -> End {
    End { exit_code: Some(exit_code), finished: Some(Time(9)), ..End::default() }
}

#[tokio::test]
async fn a_good_image_is_made_run_and_removed() {
    let engine = OneContainer::with(&["runner:1"], Some(ended(0)));
    let verdict = tried(&engine, pool("image = \"runner:1\"")).await;
    assert!(verdict.good, "{verdict:?}");
    assert_eq!(verdict.output, "2.330.0\n");
    assert_eq!(engine.calls(), "create start remove:ghrunner-build-0-canary collect:network ghrunner-build");
    let steps: Vec<&str> = verdict.steps.iter().map(|s| s.step.as_str()).collect();
    assert_eq!(steps, ["image", "create", "start", "run", "remove"]);
}

#[tokio::test]
async fn each_bad_end_has_its_sentence_and_is_removed_all_the_same() {
    for (end, sentence) in [
        (ended(127), "exit code 127: the image has no such command"),
        (ended(3), "it exited with 3"),
        (
            ended(137),
            "killed (exit code 137): by the kernel for lack of memory (its limit is 64MiB), or from outside",
        ),
        (End { oom_killed: true, ..ended(137) }, "the kernel killed it for memory: it needs more than 64MiB"),
    ] {
        let engine = OneContainer::with(&["runner:1"], Some(end));
        let verdict = tried(&engine, pool("image = \"runner:1\"")).await;
        assert!(!verdict.good);
        assert!(verdict.verdict.starts_with(sentence), "{}", verdict.verdict);
        assert!(engine.calls().ends_with("remove:ghrunner-build-0-canary collect:network ghrunner-build"));
    }
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_behind() {
    let refused = EngineError::Refused {
        call: "start a container",
        status: 400,
        message: "exec: \"/x\": not found".to_owned(),
    };
    let engine = OneContainer { start_error: Some(refused), ..OneContainer::with(&["runner:1"], None) };
    let verdict = tried(&engine, pool("image = \"runner:1\"")).await;
    assert!(verdict.verdict.contains("exec: \"/x\": not found"), "{}", verdict.verdict);
    assert_eq!(engine.calls(), "create start remove:ghrunner-build-0-canary collect:network ghrunner-build");
}

#[tokio::test(start_paused = true)]
async fn one_that_never_ends_is_stopped_and_removed() {
    let engine = OneContainer::with(&["runner:1"], None);
    let verdict = tried(&engine, pool("image = \"runner:1\"")).await;
    assert!(verdict.verdict.contains("did not end within 30s"), "{}", verdict.verdict);
    assert_eq!(
        engine.calls(),
        "create start stop remove:ghrunner-build-0-canary collect:network ghrunner-build"
    );
}

#[tokio::test]
async fn a_network_that_was_there_stays() {
    let pool = pool("image = \"runner:1\"");
    let network = Leftover::Network { name: "ghrunner-build".to_owned(), pool: pool.name.clone() };
    let engine =
        OneContainer { leftovers: vec![network], ..OneContainer::with(&["runner:1"], Some(ended(0))) };
    assert!(tried(&engine, pool).await.good);
    assert_eq!(engine.calls(), "create start remove:ghrunner-build-0-canary");
}

#[tokio::test]
async fn images_are_pulled_as_the_pool_has_it() {
    let engine = OneContainer::with(&[], Some(ended(0)));
    let verdict =
        tried(&engine, pool("image = \"runner:1\"\ndocker = \"dind\"\ndind_image = \"docker:x\"")).await;
    assert!(verdict.good, "{verdict:?}");
    assert!(engine.calls().starts_with("pull:runner:1 pull:docker:x create"), "{}", engine.calls());

    let engine = OneContainer::with(&[], Some(ended(0)));
    let verdict = tried(&engine, pool("image = \"runner:1\"\npull = \"never\"")).await;
    assert_eq!(verdict.verdict, "the engine has no image runner:1");
    assert_eq!(engine.calls(), "");

    let verdict = tried(&OneContainer::default(), pool("image = \"absent:1\"")).await;
    assert_eq!(verdict.verdict, "cannot pull absent:1: manifest unknown");
}
