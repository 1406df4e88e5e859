//! A rig, jobs queued at its GitHub, and what is said of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use githubsim::JobSpec;
use githubsim::State;
use serde_json::Value;
use serde_json::json;

use crate::rig::Daemon;
use crate::rig::Rig;
use crate::rig::eventually;
use crate::rig::pause;

/// A job at GitHub.
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) run: u64,
    repo: String,
}

impl Job {
    /// The address of its page.
    pub(crate) fn url(&self) -> String {
        format!("{}/job/{}", self.run_url(), self.id)
    }

    /// The address of its run's page.
    pub(crate) fn run_url(&self) -> String {
        format!("https://github.com/{}/actions/runs/{}", self.repo, self.run)
    }
}

/// One thing that `explain` said.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) why: String,
    pub(crate) text: String,
    pub(crate) pool: Option<String>,
    pub(crate) until: Option<String>,
}

impl Answer {
    /// Whether the text names the same moment, to the second.
    pub(crate) fn says_until_when(&self) -> bool {
        let second = |until: &String| until.split('.').next().unwrap_or_default().to_owned();
        self.until.as_ref().is_some_and(|until| self.text.contains(&second(until)))
    }
}

/// One test's world.
pub(crate) struct Bench {
    pub(crate) rig: Rig,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Rig::state())
    }

    /// Runners that have once spoken are online for the rest of the test.
    pub(crate) fn with(mut state: State) -> Self {
        state.settings.offline_after = std::time::Duration::from_secs(3600);
        Self { rig: Rig::with(state) }
    }

    /// The usual file, whose pool has label `x` and reads the queues of its repositories.
    pub(crate) fn polled(&self, pool: &str) -> String {
        let file = self.rig.good(&format!("demand = \"poll\"\n{pool}"));
        file.replace("[github]\n", "[github]\npoll_interval = \"5s\"\n")
    }

    /// Writes the file and starts the daemon.
    pub(crate) fn start(&self, file: &str) -> Daemon {
        self.rig.write(file);
        self.rig.daemon()
    }

    pub(crate) fn job(&self, name: &str, labels: &[&str]) -> Job {
        self.queue(JobSpec { name: name.to_owned(), ..JobSpec::new("acme/app", labels) })
    }

    pub(crate) fn queue(&self, spec: JobSpec) -> Job {
        let id = self.rig.sim().queue_job(&spec).unwrap()[0];
        let all = self.rig.sim().snapshot().jobs;
        let run = all.iter().find(|job| job.id == id).unwrap().run;
        Job { id, run, repo: spec.repository }
    }

    /// What `explain` says with `--json`.
    pub(crate) fn asked(&self, what: &[&str]) -> Vec<Answer> {
        let output = self.rig.ask(&[&["explain"], what, &["--json"]].concat());
        let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let read = |answer: &Value| Answer {
            why: text(&answer["why"]).unwrap(),
            text: text(&answer["text"]).unwrap(),
            pool: text(&answer["pool"]),
            until: text(&answer["until"]),
        };
        answers.iter().map(read).collect()
    }

    /// What a person sees, as if no line were ever broken.
    fn seen(&self, arguments: &[&str]) -> String {
        let output = self.rig.ask(arguments);
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until the answer has that code and all these words, and until `explain` and `jobs` show a person the same.
    pub(crate) fn explained(&self, daemon: &Daemon, job: &Job, code: &str, words: &[&str]) -> Answer {
        let mut last = (Vec::new(), String::new(), String::new());
        let mut found = None;
        let same = eventually(|| {
            let url = job.url();
            last = (self.asked(&[&url]), self.seen(&["explain", &url]), self.seen(&["jobs"]));
            found = last.0.first().filter(|_| last.0.len() == 1).cloned();
            found.as_ref().is_some_and(|answer| {
                answer.why == code
                    && words.iter().all(|word| answer.text.contains(word))
                    && last.1.contains(&answer.text)
                    && last.2.contains(&answer.text)
            })
        });
        assert!(same.is_ok(), "no {code} with {words:?} in {last:#?}\nThe daemon said:\n{}", daemon.said());
        found.unwrap()
    }

    /// Waits for the answer about something that no source has told of, so that `jobs` cannot show it.
    pub(crate) fn answered(&self, daemon: &Daemon, what: &[&str], code: &str, words: &[&str]) -> Answer {
        let mut last = (Vec::new(), String::new());
        let mut found = None;
        let same = eventually(|| {
            last = (self.asked(what), self.seen(&[&["explain"], what].concat()));
            found = last.0.first().cloned();
            found.as_ref().is_some_and(|answer| {
                answer.why == code
                    && words.iter().all(|word| answer.text.contains(word))
                    && last.1.contains(&answer.text)
            })
        });
        assert!(same.is_ok(), "no {code} with {words:?} in {last:#?}\nThe daemon said:\n{}", daemon.said());
        found.unwrap()
    }

    /// The journal has told so often that the job waits, each time with these words, though the loop looked again.
    pub(crate) fn told(&self, daemon: &Daemon, job: &Job, times: usize, words: &str) {
        let line = |said: &str| {
            let of_job = format!("(run {}) waits: ", job.run);
            said.lines().filter(|line| line.contains(&of_job)).map(str::to_owned).collect::<Vec<_>>()
        };
        if times > 0 {
            let heard = eventually(|| !line(&daemon.said()).is_empty());
            assert!(heard.is_ok(), "nothing of run {} in:\n{}", job.run, daemon.said());
        }
        for _ in 0..3 {
            // Each edit brings a pass.
            let mut file = std::fs::read_to_string(self.rig.path("pools.toml")).unwrap();
            file.push_str("# again\n");
            self.rig.write(&file);
            pause(300);
        }
        let lines = line(&daemon.said());
        assert_eq!(lines.len(), times, "{lines:#?}");
        assert!(lines.iter().all(|line| line.contains(words)), "no {words:?} in {lines:#?}");
    }

    /// The runner of the container that was made as the `nth`, connected to GitHub.
    pub(crate) fn guest(&self, daemon: &Daemon, nth: usize) -> Guest {
        let mut config = None;
        let made = eventually(|| {
            let all = self.rig.engine.environments();
            let jit = |variables: &Vec<String>| {
                let jit = variables.iter().find_map(|v| v.strip_prefix("ACTIONS_RUNNER_INPUT_JITCONFIG="));
                jit.map(str::to_owned)
            };
            config = all.get(nth).and_then(jit);
            config.is_some()
        });
        assert!(made.is_ok(), "no container in:\n{}", daemon.said());
        Guest::connect(&self.rig.url, &config.unwrap())
    }
}

/// A runner as GitHub sees it: the engine of these tests runs nothing, so somebody has to speak for its containers.
pub(crate) struct Guest {
    session: String,
}

impl Guest {
    fn connect(url: &str, config: &str) -> Self {
        let decode = |text: &str| -> Value {
            let bytes = STANDARD.decode(text).unwrap();
            serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).unwrap()
        };
        let key = decode(decode(config)[".credentials_rsaparams"].as_str().unwrap());
        // The first part of the key is what the simulator knows the runner by.
        let secret = STANDARD.decode(key["d"].as_str().unwrap()).unwrap()[..48].to_vec();
        let body = json!({ "secret": String::from_utf8(secret).unwrap(), "version": "2.330.0" });
        let runners = format!("{url}/_sim/runner/sessions");
        let mut answer = ureq::post(&runners).send(body.to_string()).unwrap();
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        Self { session: format!("{runners}/{}", answer["session_id"].as_str().unwrap()) }
    }

    /// Takes the oldest job that is for it, and begins it.
    pub(crate) fn begins_a_job(&self) -> u64 {
        let mut answer = ureq::get(format!("{}/message?hold_ms=10000", self.session)).call().unwrap();
        let job: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        ureq::post(format!("{}/jobs/{}/started", self.session, job["job_id"])).send_empty().unwrap();
        job["job_id"].as_u64().unwrap()
    }

    /// Says that its job is over.
    #[allow(dead_code, reason = "each test binary takes its own part of this module")]
    pub(crate) fn ends_its_job(&self, job: u64) {
        let body = json!({ "conclusion": "success" }).to_string();
        ureq::post(format!("{}/jobs/{job}/finished", self.session)).send(body).unwrap();
    }
}
