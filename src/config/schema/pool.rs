//! The keys of a pool.

use std::time::Duration;

use super::Group;
use super::Key;
use super::Kind;
use super::Section;
use super::key;
use super::open;
use super::scaling::SCALING;
use super::syntax;
use crate::model::Size;

/// Keys that say whom a pool serves, which no two pools share.
pub(crate) const SCOPE_KEYS: [&str; 4] = ["org", "repo", "repos", "enterprise"];

const HOUR: u64 = 60 * 60;
/// GitHub itself cancels a self-hosted job after five days; nothing here is waited for longer than a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * HOUR);
pub(super) const RUNNERS: &str = "a number of runners";
pub(super) const MOST_RUNNERS: i64 = 100_000;
const MIB: u64 = 1 << 20;

/// `[pools.NAME]`, and without the scope `[defaults]`.
pub(crate) static POOL: Section = Section {
    groups: &[
        Group { title: "Whom it serves", keys: SCOPE },
        Group { title: "How many runners", keys: COUNTS },
        Group { title: "How the number follows what waits", keys: SCALING },
        Group { title: "What a runner is", keys: CONTAINER },
        Group { title: "Limits", keys: LIMITS },
        Group { title: "What a job may do", keys: RIGHTS },
        Group { title: "Network", keys: NETWORK },
    ],
};

static SCOPE: &[Key] = &[
    open(
        "org",
        Kind::Text { syntax: &syntax::ORG, empty: false },
        "one of `org`, `repo`, `repos` and `enterprise` is needed",
        "An organization; its runner group decides which repositories may use the pool.",
    ),
    open(
        "repo",
        Kind::Text { syntax: &syntax::REPO, empty: false },
        "one of `org`, `repo`, `repos` and `enterprise` is needed",
        "One repository, `\"owner/name\"`.",
    ),
    open(
        "repos",
        Kind::Texts(&syntax::PATTERN),
        "one of `org`, `repo`, `repos` and `enterprise` is needed",
        "Repositories of one account that has no organization, each with runners of its own: `[\"alice/app\", \
         \"alice/web\"]`. `\"alice/*\"` means all of them, and needs a `demand` that says where jobs wait.",
    ),
    open(
        "enterprise",
        Kind::Text { syntax: &syntax::ENTERPRISE, empty: false },
        "one of `org`, `repo`, `repos` and `enterprise` is needed",
        "An enterprise, as its address has it; its runner group decides which organizations may use the pool. With \
         `demand = \"fixed\"` or `\"scale-set\"`: an enterprise has no queue that could be read.",
    ),
    open(
        "group",
        Kind::Text { syntax: &syntax::GROUP, empty: true },
        "the default group",
        "Runner group, by name. For organizations and enterprises.",
    ),
    key(
        "credentials",
        Kind::Text { syntax: &syntax::CREDENTIALS_NAME, empty: false },
        "\"default\"",
        "Which `[credentials.NAME]` registers the runners; `\"default\"` is `[github]`.",
    ),
    key(
        "labels",
        Kind::Texts(&syntax::LABEL),
        "[]",
        "Labels that jobs ask for by `runs-on`. They are made lower-case, and given once each. A pool's list replaces \
         the one in `[defaults]`.",
    ),
    key(
        "default_labels",
        Kind::Bool,
        "true",
        "Whether `self-hosted`, `linux` and the architecture (`x64`, `arm64`, `arm`) are added, as GitHub's own \
         installer does and workflows expect.",
    ),
    open(
        "rollback",
        Kind::Texts(&syntax::REPO),
        "the repositories that the runner group admits",
        "Repositories that the pool serves in repository mode (`ghrunner rollback`). For organizations only.",
    ),
    key(
        "active_within",
        Kind::Duration { min: Duration::from_secs(HOUR), max: LONGEST, none: false },
        "\"30d\"",
        "How long after its last push a repository that `\"alice/*\"` stands for is looked after. Reading the queues of \
         repositories that rest for years would slow down the others.",
    ),
];

static COUNTS: &[Key] = &[
    key(
        "demand",
        Kind::Choice(&["fixed", "poll", "webhook", "scale-set"]),
        "\"fixed\"",
        "Where the number of waiting jobs is known from. `\"fixed\"` needs no permission and no open port: `min` \
         runners stand, and `min_idle` beyond the busy ones. The others add a runner for each job that waits: `\"poll\"` \
         asks GitHub, `\"webhook\"` is told by GitHub, and `\"scale-set\"` has GitHub assign jobs to a runner scale set.",
    ),
    open(
        "scale_set",
        Kind::Text { syntax: &syntax::LABEL, empty: false },
        "the pool's name",
        "With `demand = \"scale-set\"`, the name of the runner scale set, by which jobs may ask for it: `runs-on: NAME`. It is \
         made where there is none. Only one listener at a time has a scale set: another host that serves the same jobs \
         needs another name.",
    ),
    open(
        "min",
        Kind::Count { what: RUNNERS, min: 0, max: MOST_RUNNERS },
        "1 with `demand = \"fixed\"` and neither `min_idle` nor `max = 0`, else 0",
        "Runners that always stand. A pool that is declared and says nothing more should serve a job.",
    ),
    open(
        "max",
        Kind::Count { what: RUNNERS, min: 0, max: MOST_RUNNERS },
        "`min` + `min_idle`, and at least 1",
        "Runners that are never exceeded, those on their way out included. 0 switches the pool off.",
    ),
    key(
        "min_idle",
        Kind::Count { what: RUNNERS, min: 0, max: MOST_RUNNERS },
        "0",
        "Spare runners beyond the busy ones, so that the next job need not wait for a start. Costs memory while idle, \
         hence none by default.",
    ),
    key(
        "idle_timeout",
        Kind::Duration { min: Duration::ZERO, max: LONGEST, none: false },
        "\"5m\"",
        "How long a surplus runner may stand idle. Five minutes bridge the gap between a run's jobs.",
    ),
    key(
        "start_timeout",
        Kind::Duration { min: Duration::from_secs(10), max: LONGEST, none: false },
        "\"2m\"",
        "How long a started runner may take to come online before it is replaced. Two minutes leave \
         room for a runner that updates itself first.",
    ),
    open(
        "job_timeout",
        Kind::Duration { min: Duration::from_secs(60), max: LONGEST, none: true },
        "none, GitHub's own limit holds",
        "How long a job may run before its runner is stopped, busy or not. Workflows have `timeout-minutes` for the \
         usual case.",
    ),
    key(
        "failed_starts_per_hour",
        Kind::Count { what: "a number of starts", min: 0, max: 10_000 },
        "10",
        "Starts without a job within an hour after which no more are made, so that an image which exits at once \
         cannot pile up runners at GitHub. 0 switches this off.",
    ),
    key(
        "priority",
        Kind::Choice(&["critical", "high", "normal", "low"]),
        "\"normal\"",
        "Who comes first when the host is short.",
    ),
    key(
        "registration",
        Kind::Choice(&["jit", "token"]),
        "\"jit\"",
        "`\"jit\"` makes a single-use configuration for each runner, which can never serve a second job. `\"token\"` is for \
         images that register themselves: they get a registration token, the URL, group, labels and `EPHEMERAL`.",
    ),
];

static CONTAINER: &[Key] = &[
    key(
        "image",
        Kind::Text { syntax: &syntax::IMAGE, empty: false },
        "\"ghcr.io/actions/actions-runner:latest\"",
        "The image. The default is GitHub's own and bare: most jobs want one built on it with their tools. `:latest` \
         follows the runner's releases, which GitHub makes mandatory after 30 days.",
    ),
    key(
        "pull",
        Kind::Choice(&["always", "missing", "never"]),
        "\"always\"",
        "When to ask the registry: before starts (unless it was asked within the last minutes), only for what the \
         engine does not have, or never. Asking is what makes a moving tag move.",
    ),
    open(
        "command",
        Kind::Texts(&syntax::ARGUMENT),
        "`/home/runner/run.sh`, or with `registration = \"token\"` the image's own",
        "What to run in the container, as a list of words.",
    ),
    open(
        "user",
        Kind::Text { syntax: &syntax::USER, empty: true },
        "the image's own",
        "The user to run as: a name, a number, or `\"UID:GID\"`.",
    ),
    open(
        "env",
        Kind::Env,
        "none",
        "Further variables of the runner, seen by every job. A pool's are added to those in `[defaults]`. No place for \
         secrets: `docker inspect` shows them.",
    ),
    key(
        "work_folder",
        Kind::Text { syntax: &syntax::WORK_FOLDER, empty: false },
        "\"_work\"",
        "Where jobs work in the container, relative to `/home/runner`. The default is the runner's own.",
    ),
    key(
        "log_driver",
        Kind::Text { syntax: &syntax::LOG_DRIVER, empty: false },
        "\"auto\"",
        "Where the runner's output goes. `\"auto\"` is the journal where the host has one, else the engine's default, \
         saved before the container is removed.",
    ),
    open(
        "runtime",
        Kind::Text { syntax: &syntax::RUNTIME, empty: true },
        "the engine's default",
        "OCI runtime, such as `\"runsc\"` or `\"sysbox-runc\"`.",
    ),
    open(
        "gpus",
        Kind::Gpus,
        "none",
        "Graphics processors: `\"all\"`, a number, or a list of indexes or UUIDs.",
    ),
    key(
        "volumes",
        Kind::Texts(&syntax::VOLUME),
        "[]",
        "Bind mounts `\"/host/path:/path[:ro]\"` and named volumes `\"name:/path[:ro]\"`. What one job leaves in them, the \
         next one finds.",
    ),
];

static LIMITS: &[Key] = &[
    key(
        "cpus",
        Kind::Cores,
        "2.0",
        "Processors of each runner; 0 for no limit. Two are what GitHub's own small runners have.",
    ),
    key(
        "memory",
        Kind::Size { min: Size(64 * MIB), none: true },
        "\"4GiB\"",
        "Memory of each runner. A job that takes more is killed, and says so, instead of the host's other jobs.",
    ),
    key(
        "pids",
        Kind::Count { what: "a number of processes", min: 0, max: 4_194_304 },
        "4096",
        "Processes and threads of each runner; 0 for no limit. Enough for a parallel build, too few for a fork bomb.",
    ),
    open(
        "disk",
        Kind::Size { min: Size(64 * MIB), none: true },
        "none",
        "The container's writable layer, where the engine's storage driver can limit it (overlay2 on xfs with `pquota`).",
    ),
    key(
        "shm_size",
        Kind::Size { min: Size(MIB), none: true },
        "\"1GiB\"",
        "Size of `/dev/shm`. The engine's 64MiB make browsers crash; what is used counts against `memory`. `\"none\"` \
         is the engine's own.",
    ),
    open(
        "cgroup_parent",
        Kind::Text { syntax: &syntax::CGROUP, empty: true },
        "`ghrunner-NAME.slice`, where the engine uses systemd",
        "The cgroup that the runners' own lie under.",
    ),
];

static RIGHTS: &[Key] = &[
    key(
        "docker",
        Kind::Choice(&["none", "dind", "socket"]),
        "\"none\"",
        "What a job gets of a container engine: nothing, one of its own that is removed with the runner, or the host's, \
         which is as good as root on the host.",
    ),
    key(
        "dind_image",
        Kind::Text { syntax: &syntax::IMAGE, empty: false },
        "\"docker:dind\"",
        "The image of the inner engine with `docker = \"dind\"`.",
    ),
    key(
        "sudo",
        Kind::Bool,
        "false",
        "Whether jobs may call `sudo`. Without it the kernel's no-new-privileges keeps every process at the runner's \
         own rights.",
    ),
    key(
        "privileged",
        Kind::Bool,
        "false",
        "Whether the container has all of the host's privileges. A job can then leave the container.",
    ),
    key(
        "cap_add",
        Kind::Texts(&syntax::CAPABILITY),
        "[]",
        "Capabilities beyond the few that every runner keeps, such as `\"SYS_PTRACE\"` for debuggers.",
    ),
];

static NETWORK: &[Key] = &[
    key(
        "network",
        Kind::Text { syntax: &syntax::NETWORK, empty: false },
        "\"pool\"",
        "`\"pool\"` is a bridge of the pool's own, without traffic between its runners. `\"host\"` is the host's, \
         `\"none\"` is none, and any other word is a network that you made.",
    ),
    key(
        "extra_hosts",
        Kind::Texts(&syntax::EXTRA_HOST),
        "[]",
        "Lines for `/etc/hosts`, `\"host:address\"`; the address `host-gateway` is the host's.",
    ),
    key("dns", Kind::Texts(&syntax::DNS), "[]", "Name servers, in place of the engine's."),
    open(
        "proxy",
        Kind::Text { syntax: &syntax::PROXY, empty: true },
        "none",
        "Proxy that the runner and its jobs use (`http_proxy` and `https_proxy`).",
    ),
    open(
        "no_proxy",
        Kind::Text { syntax: &syntax::ANY, empty: true },
        "none",
        "Hosts that the proxy is not used for, with commas between them.",
    ),
];
