//! Every metric there is: name, kind, labels, meaning. `docs/metrics.md` is made of this.
//!
//! Labels are bounded: pools and credentials by the file, the rest by the code. No label holds the name of a repository, a
//! workflow, a job or a runner, since those are other people's to choose and without end.

/// What a metric's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A number that only grows, and begins anew with the daemon.
    Counter,
    /// How many values fell below each of some bounds.
    Histogram,
}

impl Kind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name as it is scraped; a counter's ends with `_total`.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

impl Metric {
    /// What its values are counted in.
    pub fn unit(&self) -> &'static str {
        match self.name {
            name if name.ends_with("_timestamp_seconds") => "seconds since 1970",
            name if name.ends_with("_seconds") => "seconds",
            name if name.ends_with("_bytes") => "bytes",
            name if name.ends_with("_info") => "1",
            _ => "number",
        }
    }
}

macro_rules! catalogue {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $id: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// All metrics, in the order in which they are shown.
        pub const CATALOGUE: &[Metric] = &[$($id),*];
    };
}

catalogue! {
    BUILD: Gauge "ghrunner_build_info" ["version", "installation"]
        "Which version runs, and as which installation.";
    STARTED: Gauge "ghrunner_start_timestamp_seconds" []
        "When the daemon started.";
    READY: Gauge "ghrunner_ready" []
        "1 once a first complete look was had at engine and GitHub, else 0.";
    REPOSITORY_MODE: Gauge "ghrunner_repository_mode" []
        "1 in repository mode, 0 in organization mode.";
    CONFIG_VALID: Gauge "ghrunner_config_valid" []
        "1 if the file as it is now is in force, 0 if it was refused and the last good one is.";
    CONFIG_LOADED: Gauge "ghrunner_config_loaded_timestamp_seconds" []
        "When the configuration in force was read.";
    CONFIG_REFUSED: Gauge "ghrunner_config_refused_timestamp_seconds" []
        "Since when the file is refused; absent while it is valid.";
    CONFIG_WARNINGS: Gauge "ghrunner_config_warnings" []
        "What is legal in the file and unwise.";
    CONFIG_RESTART: Gauge "ghrunner_config_settings_awaiting_restart" []
        "Settings that changed in the file and need a restart.";
    PASS_TIME: Histogram "ghrunner_pass_duration_seconds" []
        "How long passes of the control loop took.";
    LAST_PASS: Gauge "ghrunner_last_pass_timestamp_seconds" []
        "When the last pass ended.";
    WATCHDOG: Gauge "ghrunner_watchdog_interval_seconds" []
        "How long systemd waits for a finished pass before it restarts the daemon; absent without a watchdog.";
    WATCHDOG_MARGIN: Gauge "ghrunner_watchdog_margin_seconds" []
        "How much of the watchdog's interval is left at the scrape; absent without a watchdog.";
    PLAN_SIZE: Histogram "ghrunner_plan_actions" []
        "How many actions the plan of each pass had.";
    PLANNED: Counter "ghrunner_planned_actions_total" ["action"]
        "Actions that were planned and begun.";
    ACTIONS: Counter "ghrunner_actions_total" ["action", "result"]
        "Actions that ended: done, failed, or busy where a runner turned out to be in a job.";
    ACTION_TIME: Histogram "ghrunner_action_duration_seconds" ["action"]
        "How long actions took.";
    HELD: Gauge "ghrunner_held_back" ["pool", "reason"]
        "What the last pass held back; without a pool where it concerns none alone.";
    ADVICE: Gauge "ghrunner_advice" []
        "What will go wrong in days if nobody does anything; status says what.";
    ENGINE_UP: Gauge "ghrunner_engine_up" []
        "1 if the container engine answered the last look, else 0.";
    ENGINE: Gauge "ghrunner_engine_info" ["product", "version", "api_version"]
        "Which container engine it is.";
    ENGINE_DISK: Gauge "ghrunner_engine_disk_free_bytes" []
        "What is free where the engine keeps containers.";
    ENGINE_CALLS: Counter "ghrunner_engine_calls_total" ["call", "result"]
        "Calls to the container engine.";
    ENGINE_TIME: Histogram "ghrunner_engine_call_duration_seconds" ["call"]
        "How long calls to the container engine took.";
    GITHUB_CALLS: Counter "ghrunner_github_calls_total" ["call", "result"]
        "Calls to GitHub, by what was asked.";
    GITHUB_TIME: Histogram "ghrunner_github_call_duration_seconds" ["call"]
        "How long calls to GitHub took; await-message is held open by GitHub for about 50 seconds.";
    GITHUB_REQUESTS: Counter "ghrunner_github_requests_total" ["credential"]
        "Requests to GitHub's REST API with each credential.";
    GITHUB_UNCHANGED: Counter "ghrunner_github_not_modified_total" ["credential"]
        "Those of them that GitHub answered with 304, which cost nothing of the quota.";
    QUOTA: Gauge "ghrunner_github_quota_remaining" ["credential"]
        "Requests left until the quota begins anew, of the scarcest budget.";
    QUOTA_LIMIT: Gauge "ghrunner_github_quota_limit" ["credential"]
        "The whole of that quota.";
    QUOTA_RESET: Gauge "ghrunner_github_quota_reset_timestamp_seconds" ["credential"]
        "When that quota begins anew.";
    LIMITED: Gauge "ghrunner_github_limited" ["credential"]
        "1 while GitHub wants nothing to be sent with the credential, else 0.";
    REFUSED: Gauge "ghrunner_github_credential_refused" ["credential"]
        "1 if the credential cannot be read or GitHub refuses it, else 0.";
    POOL: Gauge "ghrunner_pool_info" ["pool", "demand", "priority"]
        "The pools of the file.";
    POOL_MIN: Gauge "ghrunner_pool_min_runners" ["pool"]
        "Runners that always stand, by the file.";
    POOL_MAX: Gauge "ghrunner_pool_max_runners" ["pool"]
        "Runners that never are exceeded, by the file.";
    POOL_IDLE: Gauge "ghrunner_pool_min_idle_runners" ["pool"]
        "Spare runners beyond the busy ones, by the file.";
    POOL_TARGET: Gauge "ghrunner_pool_target_runners" ["pool"]
        "How many runners the pool should have now.";
    POOL_DRAINED: Gauge "ghrunner_pool_drained" ["pool"]
        "1 while the operator drains the pool, else 0.";
    RUNNERS: Gauge "ghrunner_runners" ["pool", "phase"]
        "Runners by what they do.";
    JOBS: Gauge "ghrunner_jobs" ["pool", "state"]
        "Jobs that the pool serves: held by GitHub, queued, or running.";
    JOBS_WAITING: Gauge "ghrunner_jobs_waiting" ["pool", "why"]
        "Queued jobs of the pool by the one reason for which each waits.";
    JOBS_UNSERVED: Gauge "ghrunner_jobs_unserved" ["why"]
        "Queued jobs that no pool serves.";
    OLDEST_JOB: Gauge "ghrunner_oldest_queued_job_timestamp_seconds" ["pool"]
        "Since when the pool's oldest queued job waits; absent where none does.";
    QUEUE_WAIT: Histogram "ghrunner_job_queue_wait_seconds" ["pool"]
        "From a job's queueing to its begin, for pools that hear of jobs.";
    START_TIME: Histogram "ghrunner_startup_duration_seconds" ["pool", "step"]
        "The way from a job to its runner in steps: planned (since the job was queued), created (since planned), online (since created), taken (since online).";
    JOB_TIME: Histogram "ghrunner_job_duration_seconds" ["pool"]
        "From a runner's taking of a job to the removal of the runner after it.";
    JOB_MEMORY: Histogram "ghrunner_job_peak_memory_bytes" ["pool"]
        "The most memory that a job was seen to have, its inner engine included; jobs too short to be sampled do not count.";
    JOB_CPU: Histogram "ghrunner_job_cpu_seconds" ["pool"]
        "Processor time of a job up to its last sample.";
    JOBS_STARTED: Counter "ghrunner_jobs_started_total" ["pool"]
        "Runners that took a job.";
    JOBS_COMPLETED: Counter "ghrunner_jobs_completed_total" ["pool"]
        "Runners that ended after a job.";
    WITHOUT_JOB: Counter "ghrunner_runners_ended_without_job_total" ["pool"]
        "Runners that ended without one, surplus ones among them.";
    START_FAILURES: Counter "ghrunner_start_failures_total" ["pool", "reason"]
        "Starts that failed, and runners that ended by themselves without a job.";
    IMAGE_BUILT: Gauge "ghrunner_pool_image_built_timestamp_seconds" ["pool"]
        "When the pool's image was built; GitHub gives no jobs to a runner version that is 30 days behind.";
    IMAGE_THERE: Gauge "ghrunner_pool_image_present" ["pool"]
        "1 if the engine has the pool's image, else 0.";
    IMAGE_FAILED: Gauge "ghrunner_pool_image_pull_failed" ["pool"]
        "1 if the last pull of the pool's image failed, else 0.";
    RUNNER_VERSION: Gauge "ghrunner_pool_runner_version_info" ["pool", "version"]
        "The version of the runner in the pool's image, where the image's tag is one.";
    POLLED: Gauge "ghrunner_polled_repositories" []
        "Repositories whose queue is read.";
    POLLS_FAILING: Gauge "ghrunner_polled_repositories_failing" []
        "Those of them whose last look failed.";
    OLDEST_POLL: Gauge "ghrunner_oldest_poll_timestamp_seconds" []
        "When the queue that was not read for longest was last read completely; absent where none is read.";
    DELIVERIES: Counter "ghrunner_webhook_deliveries_total" ["result"]
        "Deliveries of webhooks: accepted with a good signature, or refused.";
    LAST_DELIVERY: Gauge "ghrunner_webhook_last_delivery_timestamp_seconds" []
        "When the last delivery with a good signature came; absent before the first.";
    HOOKS_FAILING: Gauge "ghrunner_webhook_failing" []
        "1 if something is wrong with the intake of webhooks, else 0.";
    SETS: Gauge "ghrunner_scale_sets" ["pool", "state"]
        "Scale sets by what is being done about them: opening, listening, or waiting after an error.";
    SET_SESSIONS: Counter "ghrunner_scale_set_session_recreations_total" ["pool"]
        "Sessions of scale sets that had to be opened again.";
    SET_HEARD: Gauge "ghrunner_scale_set_heard_timestamp_seconds" ["pool"]
        "When GitHub last counted the jobs of the pool's scale set; the oldest of several.";
    SET_DISAGREES: Gauge "ghrunner_scale_set_disagreement" ["pool"]
        "1 if GitHub's count and what is seen here do not go together, else 0.";
    REQUESTS: Counter "ghrunner_http_requests_total" ["method", "route", "status"]
        "Requests to the daemon's own API.";
    REQUEST_TIME: Histogram "ghrunner_http_request_duration_seconds" []
        "How long it took until their answers began.";
    SPANS: Counter "ghrunner_telemetry_spans_total" ["result"]
        "Spans of traces: exported, or dropped since the collector took them not or not soon enough; absent where none are wanted.";
    SPANS_FAILING: Gauge "ghrunner_telemetry_failing" []
        "1 if the last attempt to export traces came to nothing, else 0; absent where none are wanted.";
    GHA_ASSIGNED: Gauge "gha_assigned_jobs" ["name", "namespace", "organization", "enterprise"]
        "Number of jobs assigned to this scale set.";
    GHA_RUNNING: Gauge "gha_running_jobs" ["name", "namespace", "organization", "enterprise"]
        "Number of jobs running (or about to be run).";
    GHA_REGISTERED: Gauge "gha_registered_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of runners registered by the scale set.";
    GHA_BUSY: Gauge "gha_busy_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of registered runners running a job.";
    GHA_IDLE: Gauge "gha_idle_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of registered runners not running a job.";
    GHA_MIN: Gauge "gha_min_runners" ["name", "namespace", "organization", "enterprise"]
        "Minimum number of runners.";
    GHA_MAX: Gauge "gha_max_runners" ["name", "namespace", "organization", "enterprise"]
        "Maximum number of runners.";
    GHA_DESIRED: Gauge "gha_desired_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of runners desired by the scale set.";
    GHA_STARTED: Counter "gha_started_jobs_total" ["name", "namespace", "organization", "enterprise"]
        "Total number of jobs started.";
    GHA_COMPLETED: Counter "gha_completed_jobs_total" ["name", "namespace", "organization", "enterprise"]
        "Total number of jobs completed.";
    GHA_STARTUP: Histogram "gha_job_startup_duration_seconds" ["name", "namespace", "organization", "enterprise"]
        "Time spent waiting for workflow job to get started on the runner owned by the scale set (in seconds).";
    GHA_EXECUTION: Histogram "gha_job_execution_duration_seconds" ["name", "namespace", "organization", "enterprise"]
        "Time spent executing workflow jobs by the scale set (in seconds).";
    GHA_PENDING: Gauge "gha_controller_pending_ephemeral_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of ephemeral runners in a pending state.";
    GHA_ALIVE: Gauge "gha_controller_running_ephemeral_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of ephemeral runners in a running state.";
    GHA_FAILED: Gauge "gha_controller_failed_ephemeral_runners" ["name", "namespace", "organization", "enterprise"]
        "Number of ephemeral runners in a failed state.";
    GHA_LISTENERS: Gauge "gha_controller_running_listeners" ["name", "namespace", "organization", "enterprise"]
        "Number of listeners in a running state.";
}
