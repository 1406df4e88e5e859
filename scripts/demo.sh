#!/usr/bin/env bash
# Shows ghrunner at work, in some minutes and on this machine alone: a simulated GitHub, real containers, four pools that
# hear of their jobs in the four ways there are, and an edit of the file while jobs run. Everything it made is gone at the
# end, whatever happens.
#
#   scripts/demo.sh [--jobs N] [--json] [--dind] [--keep]
#
#   --jobs N   how many jobs to queue (20)
#   --json     close with one line of JSON: what was counted and measured
#   --dind     give the fourth pool's jobs an engine of their own, instead of an image that registers itself;
#              its image takes a minute and a half to make, once
#   --keep     leave the folder with the demo's files and logs
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

JOBS=20
JSON=
DIND=
KEEP=

# Tells this demo's runners from every other's on this machine: part of pools', containers' and networks' names.
ID=d$(printf '%06x' $((($(date +%s) ^ $$ << 8) & 0xffffff)))
IMAGE=ghrunner-demo/standin:$ID
LABEL=io.ghrunner.instance=$ID
STAGE=ghrunner-demo-$ID
DIR=
# The ways to hear of jobs, each with a pool and a token of its own.
DEMANDS=(poll webhook scale_set fixed)
HOOK=
PHASE=

usage() { sed -n '6,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

parse() {
    while (($#)); do
        case $1 in
        --jobs)
            JOBS=${2:-}
            [[ $JOBS =~ ^[1-9][0-9]{0,3}$ ]] || die "--jobs wants a number of at least 1"
            shift
            ;;
        --json) JSON=yes ;;
        --dind) DIND=yes ;;
        --keep) KEEP=yes ;;
        -h | --help)
            usage
            exit
            ;;
        *)
            usage >&2
            exit 64
            ;;
        esac
        shift
    done
}

# ---- Before: what it takes ----------------------------------------------------------------------------------------------

prepare() {
    want jq jq
    want curl curl
    [[ -z $DIND ]] || want debootstrap debootstrap
    need_rust
    need_engine
    local begun=$SECONDS
    say "Building (some minutes the first time)"
    # Without optimization: that builds in a third of the time, and nothing here is short of speed.
    (cd "$ROOT" && cargo build --quiet --locked --workspace --bins) >&2
    STANDIN=$(build_standin)
    BIN=$(target_dir)/debug
    say "Built in $((SECONDS - begun)) s"
    if [[ -n $DIND ]]; then
        say "Making sure of the inner engine's image"
        DIND_IMAGE=$("$ROOT/tests/images/dind.sh")
    fi
}

# ---- The stage ----------------------------------------------------------------------------------------------------------

launch() {
    DIR=$(mktemp -d -t ghrunner-demo.XXXXXX)
    mkdir "$DIR/state" "$DIR/logs" "$DIR/run"
    "$BIN/githubsim" image --runner "$STANDIN" --tag "$IMAGE" --env "DEMO=$ID" | quietly_load
    # Where the webhook's deliveries go.
    HOOK=127.0.0.1:$(free_port)
    start_simulator
    start_proxy
    write_pools full
    start_daemon
}

# The image's id is this demo's own (by the variable DEMO), so that removing it takes nothing from another demo.
quietly_load() { docker load --quiet >/dev/null; }

start_simulator() {
    local network=bridge
    if [[ -n $DIND ]]; then
        # Runners with an inner engine have that engine's bridge in their network, with the default bridge's own addresses.
        network=$STAGE
        docker network create "$STAGE" >/dev/null
    fi
    write_state
    simulated_github "$BIN/githubsim" "$network" --exchange-log "$DIR/exchange.jsonl"
}

# Each pool has a place and repositories of its own, and a token: what is asked with it was asked because of that pool.
write_state() {
    cat >"$DIR/github.toml" <<STATE
[[organizations]]
login = "acme"

[[organizations]]
login = "globex"

$(for name in acme/tool acme/docs globex/app globex/web globex/lab; do
        printf '[[repositories]]\nowner = "%s"\nname = "%s"\nprivate = true\n\n' "${name%/*}" "${name#*/}"
    done)
[[groups]]
org = "acme"
id = 3
name = "ci"
visibility = "all"

[[groups]]
org = "globex"
id = 4
name = "release"
visibility = "selected"
repositories = ["app"]

$(for pool in "${DEMANDS[@]}"; do
        printf '[[tokens]]\ntoken = "ghp_%s"\nuser = "%s"\n' "$pool" "$pool"
        printf 'scopes = ["repo", "admin:org", "admin:org_hook"]\n\n'
    done)
[[hooks]]
owner = "globex"
url = "http://$HOOK/webhook"
secret = "signs deliveries"
content_type = "json"
events = ["workflow_job", "workflow_run"]
STATE
}

# Between daemon and engine, so that it is known when the daemon called what.
start_proxy() {
    local engine
    engine=$(engine_endpoint)
    [[ $engine == unix://* ]] || die "the demo needs an engine at a local socket, not at $engine"
    background proxy "$BIN/engine-proxy" --listen "$DIR/engine.sock" --engine "${engine#unix://}" --log "$DIR/calls.jsonl"
    wait_for 10 test -S "$DIR/engine.sock" || die "the engine's proxy does not start: $(log_end proxy)"
}

start_daemon() {
    local pool
    for pool in "${DEMANDS[@]}"; do secret "$DIR/token-$pool" "ghp_$pool"; done
    secret "$DIR/webhook-secret" "signs deliveries"
    background daemon env -u NOTIFY_SOCKET -u WATCHDOG_USEC "$BIN/ghrunner" run --config "$DIR/pools.toml" \
        --state-dir "$DIR/state" --logs-dir "$DIR/logs" --runtime-dir "$DIR/run" --log-format text
    DAEMON=${STARTED[-1]}
    wait_for 20 status --json >/dev/null 2>&1 || die "the daemon does not start: $(log_end daemon)"
}

status() { "$BIN/ghrunner" --socket "$DIR/run/ghrunner.sock" status "$@" 2>&1; }
sim() { curl -sSf --max-time 20 "$SIM/_sim/$1" "${@:2}"; }

# ---- The file -----------------------------------------------------------------------------------------------------------

# write_pools full|edited|none: as an editor saves, beside the file and then over it.
write_pools() {
    {
        pools_head
        [[ $1 == none ]] || pools "$1"
    } >"$DIR/pools.toml.new"
    mv "$DIR/pools.toml.new" "$DIR/pools.toml"
}

pools_head() {
    cat <<HEAD
[github]
url = "$SIM"
token = { file = "$DIR/token-fixed" }

$(for pool in poll webhook scale_set; do
        printf '[credentials.%s]\nurl = "%s"\ntoken = { file = "%s" }\n' "${pool/_/-}" "$SIM" "$DIR/token-$pool"
        printf 'poll_interval = "5s"\n\n'
    done)
[http]
listen = "$HOOK"

[webhook]
url = "http://$HOOK/webhook"
secret = { file = "$DIR/webhook-secret" }

[engine]
endpoint = "unix://$DIR/engine.sock"

[host]
name = "$ID"
reserve = { disk = "256MiB" }

[defaults]
image = "$IMAGE"
pull = "never"
cpus = 0.5
memory = "96MiB"
shm_size = "none"
max = 4
idle_timeout = "10s"
HEAD
}

pools() {
    local labels='["team"]' cpus=0.5
    if [[ $1 == edited ]]; then
        labels='["team", "fast"]'
        cpus=1.0
    fi
    cat <<POOLS

# All repositories of an organization, by its runner group "ci". Their queues are read every few seconds.
[pools.team-$ID]
org = "acme"
group = "ci"
credentials = "poll"
demand = "poll"
labels = $labels
cpus = $cpus
min = 1

# The repositories that were selected for the runner group "release". GitHub tells of each job by a webhook.
[pools.release-$ID]
org = "globex"
group = "release"
credentials = "webhook"
demand = "webhook"
labels = ["release"]

# One repository. GitHub assigns its jobs to a runner scale set.
[pools.web-$ID]
repo = "globex/web"
credentials = "scale-set"
demand = "scale-set"
labels = ["web"]

$(fourth_pool)
POOLS
}

fourth_pool() {
    if [[ -n $DIND ]]; then
        cat <<POOL
# A fixed number, and one to spare: nobody has to say that jobs wait. Jobs get a container engine of their own.
[pools.own-$ID]
repo = "globex/lab"
labels = ["own"]
docker = "dind"
dind_image = "$DIND_IMAGE"
memory = "768MiB"
min = 1
max = 2
POOL
    else
        cat <<POOL
# A fixed number, and one to spare: nobody has to say that jobs wait. The image registers itself, with a token that is
# made for each runner.
[pools.own-$ID]
repo = "globex/lab"
labels = ["own"]
registration = "token"
min = 2
min_idle = 1
POOL
    fi
}

# ---- The play -----------------------------------------------------------------------------------------------------------

# What a job for the pool "team" asks for; more of it after the edit.
TEAM='"team"'

play() {
    act "Four pools are in the file: their runners come up"
    until_true 60 fleet_stands || die "the fleet does not stand"

    local first=$((JOBS / 2)) matrix=0 n
    ((first < 2)) || matrix=2
    ((first < 8)) || matrix=4
    act "$first jobs are queued over the pools$( ((matrix == 0)) || printf ', %s of them by one matrix' "$matrix")"
    # The first numbers are the matrix's.
    ((matrix == 0)) || queue_matrix "$matrix"
    for ((n = matrix; n < first; n++)); do queue_job "$n"; done
    until_true 240 jobs_done "$first" || die "not all of the first $first jobs were done"
    until_true 60 fleet_stands || die "the fleet does not stand again after the jobs"

    act "A job runs in the pool team while pools.toml is edited: another CPU limit and a further label for that pool"
    # It is still running when the file changes, and the edit must not touch it. Number 0 is for the pool "team".
    queue_job 0 6s
    until_true 30 a_job_runs || die "no runner took the job"
    edit_pools
    act "The jobs after the edit ask for the new label; runners of the old kind go as soon as they are idle"
    for ((n = first + 1; n < JOBS; n++)); do queue_job "$n"; done
    until_true 240 jobs_done "$JOBS" || die "not all of the $JOBS jobs were done"
    until_true 60 fleet_stands || die "the fleet does not stand again after the edit"

    act "The pools are taken out of the file: their runners go, and all that was made for them"
    write_pools none
    until_true 90 nothing_left || say "warning: something is still there after 90 s"
}

# queue_job NUMBER [DURATION]: the number decides where it goes, so that each pool has work.
queue_job() {
    local n=$1 duration=${2:-$((1 + $1 % 3))s} name=job-$1
    case $((n % 4)) in
    0) queue acme/tool "$TEAM" "$name" "$duration" ;;
    1) queue globex/app '"release"' "$name" "$duration" ;;
    2) queue globex/web '"web"' "$name" "$duration" ;;
    3) queue globex/lab '"own"' "$name" "$duration" "${DIND:+\"docker\": true}" ;;
    esac
}

# One run with so many jobs.
queue_matrix() { queue globex/app '"release"' matrix 2s "\"count\": $1"; }

# queue REPOSITORY LABELS NAME DURATION [FIELD]
queue() {
    sim jobs -d "{\"repository\": \"$1\", \"labels\": [\"self-hosted\", $2], \"name\": \"$3\",
        \"duration\": \"$4\"${5:+, $5}}" >/dev/null
}

# Saves in a moment in which the daemon asks nothing of the engine, so that its next call is what the save led to.
edit_pools() {
    TEAM='"team", "fast"'
    wait_for 20 engine_is_left_alone || say "warning: the engine was never left alone; the reload's time may be too good"
    write_pools edited
    SAVED_MS=$(date +%s%3N)
    wait_for 20 engine_was_called || die "the daemon did not react to the edited file"
}

# The daemon looks every two seconds while jobs run; a bit after a look there is time.
engine_is_left_alone() {
    local age=$(($(date +%s%3N) - $(tail -n 1 "$DIR/calls.jsonl" | jq .at_ms)))
    ((age > 350 && age < 1200))
}

engine_was_called() {
    FIRST_CALL_MS=$(jq -s --argjson saved "$SAVED_MS" \
        '[.[] | .at_ms - $saved | select(. >= 0)] | min // empty' "$DIR/calls.jsonl")
    [[ -n $FIRST_CALL_MS ]]
}

fleet_stands() {
    # Those that are there beyond the target wait a while for a next job.
    status --json | jq -e '.ready and (.pools | length == 4) and all(.pools[];
        (.phases.idle // 0) >= .target and (.phases | del(.idle) | length) == 0)' >/dev/null
}
jobs_done() { (($(sim counters | jq .jobs_completed) >= $1)); }
a_job_runs() { sim state | jq -e 'any(.jobs[]; .status == "in_progress" and .started_ms)' >/dev/null; }
nothing_left() {
    (($(containers | wc -l) + $(networks | wc -l) + $(volumes | wc -l) + $(registrations) + $(scale_sets) == 0))
}

containers() { docker ps -aq --filter "label=$LABEL"; }
networks() {
    local id
    for id in $(docker network ls -q --filter "label=$LABEL"); do
        miscounted "$id" || printf '%s\n' "$id"
    done
}
# Whether the daemon was right to give a network up: nothing is attached to it and yet the engine refuses to remove it.
# Engines lose count now and then, until they are started again (https://github.com/moby/moby/issues/42119).
miscounted() {
    local name attached
    read -r name attached < <(docker network inspect -f '{{.Name}} {{len .Containers}}' "$1" 2>/dev/null) || return 1
    ((attached == 0)) && grep -q "remove network $name: .*has lost count" "$DIR/daemon.log" &&
        docker network rm "$1" 2>&1 | grep -q 'has active endpoints'
}
volumes() { docker volume ls -q --filter "label=$LABEL"; }
registrations() { sim counters | jq .registrations_left; }
scale_sets() { sim state | jq '.scale_sets | length'; }

# ---- What is to be seen -------------------------------------------------------------------------------------------------

act() {
    PHASE=$1
    say
    say "== $PHASE"
}

# until_true SECONDS COMMAND...: like wait_for, and shows the fleet meanwhile.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        alive || die "the daemon has ended: $(log_end daemon)"
        show
        sleep 0.7
    done
    show
}

alive() { kill -0 "$DAEMON" 2>/dev/null; }

show() {
    if [[ -t 2 ]]; then show_screen; else show_line; fi
}

# Over the last picture line by line, so that nothing flickers.
show_screen() {
    {
        printf '\e[H'
        {
            printf 'ghrunner demo, %s s: %s\n' "$SECONDS" "$PHASE"
            printf 'Jobs: %s\n\n' "$(jobs_in_words)"
            "$BIN/ghrunner" --socket "$DIR/run/ghrunner.sock" --color always status 2>&1
        } | head -n "$(($(tput lines 2>/dev/null || echo 40) - 2))" | sed 's/$/\x1b[K/'
        printf '\e[J'
    } >&2
}

LAST_LINE=
show_line() {
    local line
    line="jobs: $(jobs_in_words); runners: $(runners_in_words)"
    [[ $line == "$LAST_LINE" ]] || say "   ${SECONDS}s  $line"
    LAST_LINE=$line
}

jobs_in_words() {
    sim state | jq -r '[.jobs[].status] | "\(map(select(. == "queued")) | length) waiting, \(
        map(select(. == "in_progress")) | length) running, \(map(select(. == "completed")) | length) done"'
}

runners_in_words() {
    status --json | jq -r '[.runners[].phase] | group_by(.) | map("\(length) \(.[0])") | join(", ") |
        if . == "" then "none" else . end'
}

# ---- After --------------------------------------------------------------------------------------------------------------

# Everything in it was counted: at the simulated GitHub, at the engine, and in the proxy between.
#
# api_requests_per_job: all requests of REST and of the Actions service that the simulated GitHub had, answers of 304
# included, by the token that sent them, or that asked for the registration token with which the Actions service was
# opened. Each pool has a token, a place and repositories of its own; so the number holds what its demand asks (queues,
# hooks, messages, sessions) and what its runners need (registering, listing, deregistering) from the daemon's start
# to the end, with its times of rest. It is divided by the jobs in the pool's repositories; without a job it is null.
result() {
    local started
    started=$(jq -s '[.[] | select(.method == "POST" and .status == 204) | .path |
        select(test("^/containers/.*/start$") and (test("-dind/start$") | not))] | length' "$DIR/calls.jsonl")
    sim state | jq -c --argjson started "$started" --argjson reload "$FIRST_CALL_MS" \
        --argjson containers "$(containers | wc -l)" --argjson networks "$(networks | wc -l)" \
        --argjson volumes "$(volumes | wc -l)" '
        def per_job(token; repositories):
            ([.jobs[] | select(.repository | test(repositories))] | length) as $jobs |
            if $jobs == 0 then null
            else (.counters.requests_of["user " + token] // 0) / $jobs * 100 | round / 100 end;
        def at(p): sort | .[([length * p | ceil, 1] | max) - 1];
        [.jobs[] | select(.started_ms) | .started_ms - .queued_ms] as $wait |
        {jobs_queued: .counters.jobs_queued, jobs_completed: .counters.jobs_succeeded, runners_started: $started,
         busy_killed: (.counters.jobs_lost + .counters.jobs_cancelled + .counters.busy_deleted),
         containers_left: $containers, registrations_left: .counters.registrations_left,
         networks_left: $networks, volumes_left: $volumes, scale_sets_left: (.scale_sets | length),
         reload_to_first_call_ms: $reload,
         wait_ms: {p50: ($wait | at(0.5)), p99: ($wait | at(0.99))},
         api_requests_per_job: {poll: per_job("poll"; "^acme/"), webhook: per_job("webhook"; "^globex/app$"),
             scale_set: per_job("scale_set"; "^globex/web$")}}'
}

# Names each number that is not as it must be; succeeds if there is none.
judge() {
    local wrong
    wrong=$(jq -r --argjson jobs "$JOBS" '
        [if .jobs_queued != $jobs then "\(.jobs_queued) jobs were queued, not \($jobs)" else empty end,
         if .jobs_completed != $jobs then "\(.jobs_completed) of \($jobs) jobs ended in success" else empty end,
         if .runners_started < $jobs then "\(.runners_started) runners for \($jobs) jobs: one served two" else empty end,
         if .busy_killed != 0 then "\(.busy_killed) jobs were disturbed" else empty end,
         (.api_requests_per_job | to_entries[] | select(.value != null and .value < 1) |
             "\(.value) requests for each job by \(.key): registering its runner takes one"),
         (to_entries[] | select((.key | endswith("_left")) and .value != 0) | "\(.key) is \(.value)")] | .[]' <<<"$1")
    [[ -z $wrong ]] && return
    say
    say "NOT AS IT MUST BE:"
    say "$wrong"
    say "The end of the daemon's log:"
    tail -n 20 "$DIR/daemon.log" >&2
    return 1
}

summary() {
    jq -r --arg time "$2" '"
What you saw, in \($time) s
  A file, pools.toml, declared four pools, each with a way of its own to hear of jobs: polling for an organization,
  webhooks for the selected repositories of a runner group, a scale set for a single repository, and a fixed number for
  one more. ghrunner made it so: each runner was a container that registered itself at a (simulated) GitHub, did one
  job, and was replaced where another was wanted.

  \(.jobs_completed) of \(.jobs_queued) jobs were done by \(.runners_started) runners. From its queueing to its start, a job waited \(.wait_ms.p50) ms in the
  median, \(.wait_ms.p99) ms at worst (p99).
  For each job GitHub was asked \(.api_requests_per_job | "\(.poll // "-") times with polling, \(.webhook // "-") with webhooks, \(.scale_set // "-") with a scale set"),
  all listings and all that was free (304) included.
  The file was edited while a job ran: \(.reload_to_first_call_ms) ms after the save ghrunner began to replace the idle runners of the changed
  pool. Busy ones finished first: \(.busy_killed) jobs were disturbed.
  When the pools were taken out of the file, all of it went: \(.containers_left) containers, \(.networks_left) networks, \(.volumes_left) volumes,
  \(.registrations_left) registrations and \(.scale_sets_left) scale sets are left.

Next: etc/pools.toml.example is a file to start from, docs/configuration.md explains each key."' <<<"$1"
}

clean_up() {
    local code=$?
    trap - EXIT INT TERM
    [[ -n $DIR ]] || exit "$code"
    end_started
    sweep
    if [[ -n $KEEP ]]; then say "The demo's files are in $DIR"; else rm -rf "$DIR"; fi
    exit "$code"
}

# After a good end there is nothing left of this but the image.
sweep() {
    remove_labelled "$LABEL"
    docker network rm "$STAGE" >/dev/null 2>&1 || true
    docker rmi -f "$IMAGE" >/dev/null 2>&1 || true
}

main() {
    parse "$@"
    prepare
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    local begun=$SECONDS counted
    launch
    if [[ -t 2 ]]; then printf '\e[2J' >&2; fi
    play
    counted=$(result)
    if [[ -t 2 ]]; then printf '\e[H\e[2J' >&2; fi
    summary "$counted" "$((SECONDS - begun))"
    judge "$counted"
    [[ -z $JSON ]] || printf '%s\n' "$counted"
}

main "$@"
