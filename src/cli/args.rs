//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::ColorChoice;
use clap::Parser;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use clap_complete::Shell;

use crate::model::Repo;
use crate::model::history::JobResult;
use crate::systemd::LogFormat;

/// Where the configuration is.
pub(super) const CONFIG_FILE: &str = "/etc/ghrunner/pools.toml";

/// Where secrets are kept that the unit hands to the service.
pub(super) const CREDENTIALS_DIR: &str = "/etc/ghrunner/credentials";

/// Where modes and marks are kept.
pub(super) const STATE_DIR: &str = "/var/lib/ghrunner";

/// Where the output of runners that are gone is kept.
pub(super) const LOGS_DIR: &str = "/var/log/ghrunner";

/// Where the control socket is.
pub(super) const RUNTIME_DIR: &str = "/run/ghrunner";

/// The control socket's name in the runtime directory.
pub(super) const SOCKET_NAME: &str = "ghrunner.sock";

const EXAMPLES: &str = "\
Examples:
  ghrunner check                        is /etc/ghrunner/pools.toml good?
  ghrunner status --watch               the fleet, as it changes
  ghrunner plan                         what the daemon would do now, and what it holds back and why
  ghrunner runners logs ghrunner-build-3 --follow
  ghrunner jobs                         what waits and runs, and why it waits
  ghrunner pools drain build            let its runners finish and start no more
  ghrunner drain --wait                 the same with all pools, and wait until this host is empty
  ghrunner org-status                   groups, their repositories and runners at GitHub, and what disagrees with the file
  ghrunner doctor                       tokens, groups, engine, images, disk: what is wrong, and what to do
  ghrunner verify build                 try the pool's image without registering anything
  ghrunner import .env > pools.toml     begin with the files of an older set-up

Exit codes:
  0 good    1 the answer is bad (check, doctor, verify, import, org-status, rollback --dry-run)
  2 could not be carried out    3 begun, and not over by --timeout (drain, rollback)
  64 bad usage    69 no container engine    73 a directory or the socket cannot be made    75 a daemon runs already
  77 not permitted    78 configuration missing or wrong";

/// Keeps a fleet of ephemeral GitHub Actions runners in the state that one file declares.
#[derive(Debug, Parser)]
#[command(name = "ghrunner", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// The daemon's control socket [default: $RUNTIME_DIRECTORY/ghrunner.sock or /run/ghrunner/ghrunner.sock]
    #[arg(long, global = true, env = "GHRUNNER_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print JSON of a stable shape
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon: what the systemd unit calls
    #[command(
        after_help = "Signals: SIGHUP reads the configuration again; SIGTERM and SIGINT stop, and a second one \
                            stops at once. Runners go on while the daemon is away."
    )]
    Run(Run),
    /// Say whether a configuration file is good: every error and warning, each with its place
    #[command(after_help = "Examples:\n  ghrunner check\n  ghrunner check --json ./pools.toml")]
    Check(Check),
    /// Say what the next pass would do, and what it would hold back and why
    #[command(
        after_help = "Without --dry-run the daemon is asked. With it this process looks at GitHub and the \
                            engine by itself, needs no daemon, and changes nothing."
    )]
    Plan(Plan),
    /// Show the daemon, its pools and its runners
    #[command(
        after_help = "Examples:\n  ghrunner status\n  ghrunner status --watch\n  ghrunner status --json | jq .pools"
    )]
    Status(Status),
    /// Show the jobs that wait and run, and why each waits
    #[command(
        after_help = "Examples:\n  ghrunner jobs --watch\n  ghrunner jobs --json | jq '.[] | select(.job.state == \"queued\")'"
    )]
    Jobs(Jobs),
    /// Say why a job waits: the one reason, and what to do
    #[command(
        after_help = "Examples:\n  ghrunner explain https://github.com/acme/app/actions/runs/123/job/456\n  ghrunner \
                            explain https://github.com/acme/app/actions/runs/123    every job of the run\n  ghrunner \
                            explain self-hosted linux gpu --repo acme/app         a job that would ask for these labels"
    )]
    Explain(Explain),
    /// List, show, stop or drain runners, or read their output
    #[command(subcommand)]
    Runners(Runners),
    /// List, show, drain, resume or boost pools
    #[command(subcommand)]
    Pools(Pools),
    /// Let all pools' runners finish and start no more; it lasts until `resume`
    #[command(
        after_help = "Examples:\n  ghrunner drain --wait --timeout 2h    and wait until no runner of ours is left here\n  \
                            ghrunner resume                       serve all pools again\n\nExit codes: 0 drained (with \
                            --wait: empty), 2 could not be carried out, 3 runners are left at --timeout; the pools stay \
                            drained."
    )]
    Drain(Drain),
    /// Serve all drained pools again
    Resume,
    /// Move organization pools to repository runners, or back
    #[command(
        after_help = "Examples:\n  ghrunner rollback --dry-run    what would change\n  ghrunner rollback --yes        \
                            into repository mode, without asking\n  ghrunner rollback --yes --wait --backup /var/backups/ghrunner\n  ghrunner \
                            rollback --undo       back to organization mode\n\nExit codes: 0 done, 1 something speaks against \
                            it (--force does it all the same), 2 could not be carried out or not confirmed, 3 with --wait: \
                            changed, and not every runner has come by --timeout."
    )]
    Rollback(Rollback),
    /// Read the configuration file again
    Reload,
    /// Show organizations as GitHub has them: groups, repositories, runners, and what disagrees with the file
    #[command(
        after_help = "Examples:\n  ghrunner org-status             all organizations of the file\n  ghrunner org-status acme \
                            --json\n\nNeeds no daemon. Exit codes: 0 all agrees, 1 something disagrees or cannot be seen, 78 \
                            the configuration is missing or wrong."
    )]
    OrgStatus(OrgStatus),
    /// Look for whatever keeps runners from working: tokens, groups, clock, engine, images, disk, socket
    Doctor(Doctor),
    /// Try a pool's image from start to end without registering anything
    #[command(after_help = "Example:\n  ghrunner verify build -- /home/runner/run.sh --version")]
    Verify(Verify),
    /// Make a configuration of the files of an older set-up
    #[command(
        after_help = "Reads environment files of static runners, self-registering runners, orchestrators and the Python \
                            autoscaler, compose files with such services, and values.yaml of ARC's gha-runner-scale-set. \
                            Name all files of a set-up at once: a compose file takes values from its .env.\n\n\
                            Examples:\n  ghrunner import .env > pools.toml                     what it could not carry is told \
                            on standard error\n  ghrunner import docker-compose.yml .env --write > pools.toml\n  helm get \
                            values runners -n arc | ghrunner import -\n\n\
                            Exit codes:\n  0 made, though perhaps not everything was carried    1 of one of the files nothing \
                            can be made\n  2 a file cannot be read, or a secret not be written"
    )]
    Import(Import),
    /// Show what was: jobs that ended, runners that are gone, or why pools wanted what they wanted
    #[command(
        after_help = "Examples:\n  ghrunner history --pool build --since 2h\n  ghrunner history --result failed --repo \
                            acme/app --json\n  ghrunner history --runners --since 1d     with the reason for which each ended\n  \
                            ghrunner history --decisions --pool build"
    )]
    History(History),
    /// Say what the history comes to: waits, runs, use and idle time, by pool and repository
    #[command(
        after_help = "Examples:\n  ghrunner stats                    the last week\n  ghrunner stats --since 30d --pool build"
    )]
    Stats(Stats),
    /// Say which numbers of the pools the history supports, and why
    #[command(after_help = "Changes nothing: what it says goes into pools.toml by hand.")]
    Advise(Advise),
    /// Show or verify the audit trail: every action and every operator's call
    #[command(subcommand)]
    Audit(Audit),
    /// Copy the history, the mode and the marks into one file
    #[command(
        after_help = "Works while the daemon runs, and without it. A history in PostgreSQL is copied with pg_dump.\n\n\
                            Example:\n  ghrunner backup /var/backups/ghrunner.backup"
    )]
    Backup(Backup),
    /// Bring back what `backup` copied, while the daemon is stopped
    #[command(
        after_help = "What was there before stays beside it, under another name.\n\nExample:\n  systemctl stop ghrunner && \
                            ghrunner restore /var/backups/ghrunner.backup && systemctl start ghrunner"
    )]
    Restore(Restore),
    /// Let an agent see and steer the fleet: the Model Context Protocol over standard input and output
    #[command(
        after_help = "An agent's program starts it; it asks the running daemon. The tools, their roles and how agents are set up \
                            stand in the manual (agents). Over HTTP the daemon serves the same at /mcp.\n\nExamples:\n  ghrunner mcp \
                            --read-only            look and do not steer\n  ssh build1 ghrunner mcp         the fleet of another machine"
    )]
    Mcp(Mcp),
    /// Print a completion script
    #[command(after_help = "Example:\n  ghrunner completions bash > /etc/bash_completion.d/ghrunner")]
    Completions(Completions),
    /// Write the manual pages, or print this command's own
    Man(Man),
}

/// `mcp`.
#[derive(Debug, clap::Args)]
pub struct Mcp {
    /// Only the tools that look; whatever would change something is refused
    #[arg(long)]
    pub read_only: bool,
}

/// `run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub config: PathBuf,
    /// Where modes and marks are kept [default: $STATE_DIRECTORY or /var/lib/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where the output of runners that are gone is kept [default: $LOGS_DIRECTORY or /var/log/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub logs_dir: Option<PathBuf>,
    /// Where the control socket is made [default: $RUNTIME_DIRECTORY or /run/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,
    /// How the log is written; `auto` is the journal where standard error leads to it, else text
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = log_formats())]
    pub log_format: LogFormat,
    /// How much is logged: error, warn, info, debug, trace, or filters such as `info,ghrunner::github=debug`
    #[arg(long, value_name = "LEVEL", env = "GHRUNNER_LOG", default_value = "info")]
    pub log_level: String,
}

/// `check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file
    #[arg(value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub file: PathBuf,
}

/// `plan`.
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// Ask GitHub and the engine instead of the daemon
    #[arg(long)]
    pub dry_run: bool,
    /// The configuration file, for --dry-run
    #[arg(long, value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub config: PathBuf,
    /// Where a daemon keeps modes and marks, for --dry-run [default: $STATE_DIRECTORY or /var/lib/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// `status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Go on showing it, until interrupted
    #[arg(long, short)]
    pub watch: bool,
}

/// `jobs`.
#[derive(Debug, clap::Args)]
pub struct Jobs {
    /// Go on showing them, until interrupted
    #[arg(long, short)]
    pub watch: bool,
}

/// `explain`.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The address of a run or job, or the labels of one
    #[arg(value_name = "URL|LABEL", required = true)]
    pub what: Vec<String>,
    /// The repository of a job with these labels
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<Repo>,
}

/// `runners`.
#[derive(Debug, Subcommand)]
pub enum Runners {
    /// All runners
    List {
        /// Only this pool's
        #[arg(long, value_name = "POOL")]
        pool: Option<String>,
        /// Show runners that are gone instead, and why they ended
        #[arg(long)]
        ended: bool,
    },
    /// All that is known of one runner
    Show {
        /// Its name at GitHub, or its container's
        #[arg(value_name = "RUNNER")]
        name: String,
    },
    /// What a runner prints
    Logs {
        /// Its name at GitHub, or its container's
        #[arg(value_name = "RUNNER")]
        name: String,
        /// Go on until it ends
        #[arg(long, short)]
        follow: bool,
        /// How many lines back to begin
        #[arg(long, short = 'n', value_name = "LINES", default_value_t = 100)]
        tail: usize,
    },
    /// Let a runner go, or all: as soon as it is idle, or with --force at once
    Stop {
        /// Its name at GitHub, or its container's
        #[arg(value_name = "RUNNER", required_unless_present = "all")]
        name: Option<String>,
        /// All runners of all pools; the pools replace them, unless they are drained
        #[arg(long, conflicts_with = "name")]
        all: bool,
        /// Only say which runners those are, and which are in a job
        #[arg(long, requires = "all")]
        dry_run: bool,
        /// At once, even in a job, which then fails
        #[arg(long)]
        force: bool,
    },
    /// Let a runner go as soon as it is idle
    Drain {
        /// Its name at GitHub, or its container's
        #[arg(value_name = "RUNNER")]
        name: String,
    },
}

/// `pools`.
#[derive(Debug, Subcommand)]
pub enum Pools {
    /// All pools
    List,
    /// All that is known of one pool
    Show {
        /// Its name in the file
        #[arg(value_name = "POOL")]
        name: String,
    },
    /// Let a pool's runners finish and start no more; it lasts until `resume`
    Drain {
        /// Its name in the file
        #[arg(value_name = "POOL")]
        name: String,
    },
    /// Serve a drained pool again
    Resume {
        /// Its name in the file
        #[arg(value_name = "POOL")]
        name: String,
    },
    /// Keep more runners than the file says, within max, for a time
    Boost {
        /// Its name in the file
        #[arg(value_name = "POOL")]
        name: String,
        /// How many more; 0 ends it
        #[arg(value_name = "COUNT")]
        count: u32,
        /// For how long, a week at most
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = boost_time)]
        time: Duration,
    },
}

/// `rollback`.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Go back to organization mode
    #[arg(long)]
    pub undo: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Do it although something grave speaks against it
    #[arg(long, conflicts_with = "dry_run")]
    pub force: bool,
    /// Wait until every place has its runner, and say how each stands
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "wait", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Before anything is changed, copy the configuration, the mode and the marks into a new folder here
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    pub backup: Option<PathBuf>,
}

/// `drain`.
#[derive(Debug, clap::Args)]
pub struct Drain {
    /// Wait until no runner of ours is left
    #[arg(long, short)]
    pub wait: bool,
    /// How long to wait; without it, for as long as jobs take
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
}

/// `org-status`.
#[derive(Debug, clap::Args)]
pub struct OrgStatus {
    /// Only these organizations; the file need not name them
    #[arg(value_name = "ORG")]
    pub orgs: Vec<String>,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub config: PathBuf,
    /// Where a daemon keeps its mode, for when none runs [default: $STATE_DIRECTORY or /var/lib/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// `doctor`.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub config: PathBuf,
}

/// `verify`.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The pool
    #[arg(value_name = "POOL")]
    pub pool: String,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub config: PathBuf,
    /// How long it may run, 10m at most
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = trial_time)]
    pub timeout: Duration,
    /// What to run in it; without it the runner is asked for its version
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The files of the older set-up; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where the secrets' files are, or will be
    #[arg(long, value_name = "DIR", default_value = CREDENTIALS_DIR)]
    pub credentials: PathBuf,
    /// Write the secrets that stand in the files to --credentials, one file each, mode 0600
    #[arg(long)]
    pub write: bool,
}

/// `history`.
#[derive(Debug, clap::Args)]
pub struct History {
    /// Only this pool's
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,
    /// Only this repository's, as GitHub writes it
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "decisions")]
    pub repo: Option<String>,
    /// Only what ended since: a time back such as 2h or 7d, or a moment such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only what ended before
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// Only jobs that ended so: succeeded, failed, cancelled, lost, never_ran or unknown
    #[arg(long, value_name = "RESULT", conflicts_with_all = ["runners", "decisions"])]
    pub result: Option<JobResult>,
    /// How many, the latest first, 1000 at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    pub limit: u32,
    /// Go on behind an earlier answer
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
    /// Show runners instead
    #[arg(long, conflicts_with = "decisions")]
    pub runners: bool,
    /// Show changes of what pools wanted instead
    #[arg(long)]
    pub decisions: bool,
}

/// `stats`.
#[derive(Debug, clap::Args)]
pub struct Stats {
    /// Since when: a time back such as 2h or 30d, or a moment
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    pub since: String,
    /// Only this pool
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,
    /// Only this repository, as GitHub writes it
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<String>,
}

/// `advise`.
#[derive(Debug, clap::Args)]
pub struct Advise {
    /// Since when: a time back, or a moment
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    pub since: String,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "GHRUNNER_CONFIG", default_value = CONFIG_FILE)]
    pub config: PathBuf,
}

/// `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// The entries, the latest first
    List {
        /// Only since: a time back such as 2h or 7d, or a moment
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Only before
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
        /// How many, 1000 at most
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
        limit: u32,
        /// Go on behind an earlier answer
        #[arg(long, value_name = "PLACE")]
        after: Option<String>,
    },
    /// Look through the whole trail, and say whether and where it was changed
    #[command(
        after_help = "Note the end that it prints somewhere else: held against it later, nothing can be changed unnoticed, not \
                            even by who may write everything on this host.\n\nExit codes: 0 whole, 1 changed, 2 could not be \
                            looked through."
    )]
    Verify {
        /// An end that was noted earlier, as `audit verify` prints it: NUMBER:DIGEST
        #[arg(long, value_name = "END")]
        end: Option<String>,
    },
}

/// `backup`.
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// The file to write; it must not be there yet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where a daemon that does not run keeps its state [default: $STATE_DIRECTORY or /var/lib/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// `restore`.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The file that `backup` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the daemon keeps its state [default: $STATE_DIRECTORY or /var/lib/ghrunner]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// `completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// For which shell
    pub shell: Shell,
}

/// `man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Where to write the pages of all commands; without it the command's own page is printed
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `$RUNTIME_DIRECTORY` as systemd sets it (systemd.exec(5)): the first, where there are several.
pub(super) fn directory_from(variable: &str, fallback: &str) -> PathBuf {
    let given = std::env::var(variable).ok().filter(|v| !v.is_empty());
    given.and_then(|v| v.split(':').next().map(PathBuf::from)).unwrap_or_else(|| PathBuf::from(fallback))
}

/// Where the daemon's socket is when nobody says.
pub(super) fn default_socket() -> PathBuf {
    directory_from("RUNTIME_DIRECTORY", RUNTIME_DIR).join(SOCKET_NAME)
}

/// A daemon takes a canary for forgotten after a quarter of an hour.
fn trial_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if time > Duration::from_secs(600) { Err("at most 10m".to_owned()) } else { Ok(time) }
}

/// What should hold for longer belongs in the file.
fn boost_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    let week = Duration::from_secs(7 * 24 * 3600);
    if time > week {
        Err("at most 7d; what should hold for longer belongs in the file".to_owned())
    } else {
        Ok(time)
    }
}

fn log_formats() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(LogFormat::NAMES).map(|name| LogFormat::named(&name))
}
