#!/usr/bin/env bash
# Stops all runners of ghrunner on this host now, busy or not. THEIR JOBS FAIL. It shows what is running, asks, drains all
# pools so that none is started, and stops the runners. Where the daemon does not answer it stops the service and the
# containers themselves, by the container engine's command.
#
#   ghrunner-emergency-stop [--yes] [--timeout TIME] [--instance NAME]
#
#   --yes             do not ask
#   --timeout TIME    how long to wait until all are gone (2m)
#   --instance NAME   without the daemon: only containers of this installation ([host] name in pools.toml), where there
#                     are several on one host
#
# The pools stay drained: `ghrunner resume` serves them again. GHRUNNER_ENGINE names the engine's command (docker, podman).
#
# Exit codes: 0 no runner is left, 2 could not be carried out or not confirmed, 3 some are left at --timeout, 69 no
# container engine, 77 not permitted.
set -euo pipefail
# shellcheck source=scripts/operator.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/operator.sh"

LABEL=io.ghrunner.instance
# What a runner gets to tell GitHub that its job is over, in seconds.
GRACE=30
YES=
TIMEOUT=2m
INSTANCE=

while (($#)); do
    case $1 in
    -y | --yes) YES=yes ;;
    --timeout)
        wants_value "$@"
        TIMEOUT=$2
        shift
        ;;
    --instance)
        wants_value "$@"
        INSTANCE=$2
        shift
        ;;
    -h | --help)
        usage
        exit
        ;;
    *) misused "there is no $1" ;;
    esac
    shift
done

by_the_daemon() {
    confirm "Stop all of them now, and serve nothing until \`ghrunner resume\`?"
    YES=yes
    step "Draining all pools, so that none is started"
    ghrunner drain || return
    step "Stopping all runners"
    ghrunner runners stop --all --force || return
    # Those that were just being made are idle by now, and go because of the drain.
    ghrunner drain --wait --timeout "$TIMEOUT" || return
    say "No runner is left. The pools stay drained: \`ghrunner resume\` serves them again."
}

find_engine() {
    local engine
    for engine in ${GHRUNNER_ENGINE:-docker podman}; do
        if have "$engine" && "$engine" version >/dev/null 2>&1; then
            ENGINE=$engine
            return
        fi
    done
    give_up 69 "no container engine answers (${GHRUNNER_ENGINE:-docker, podman}); GHRUNNER_ENGINE names its command"
}

containers() { "$ENGINE" ps --filter "label=$LABEL${INSTANCE:+=$INSTANCE}" "$@"; }

by_the_engine() {
    say "The daemon does not answer: whether a runner is in a job cannot be told. These are its containers:"
    containers >&2
    local ids
    mapfile -t ids < <(containers --quiet)
    if ((${#ids[@]} == 0)); then
        say "None runs."
    fi
    if has_systemd && ! unit_is inactive; then
        confirm "Stop the service $UNIT and all ${#ids[@]} containers now?"
        stop_unit || say "$ME: $UNIT could not be stopped; going on"
    elif ((${#ids[@]})); then
        confirm "Stop all ${#ids[@]} containers now?"
    fi
    mapfile -t ids < <(containers --quiet)
    if ((${#ids[@]})); then
        step "Stopping ${#ids[@]} containers"
        # Side by side: each may take its whole grace.
        printf '%s\n' "${ids[@]}" | xargs -P 16 -n 1 "$ENGINE" stop -t "$GRACE" >&2 || true
    fi
    mapfile -t ids < <(containers --quiet)
    ((${#ids[@]} == 0)) || give_up 3 "${#ids[@]} containers still run: ${ids[*]}"
    say "No container runs. The next start of the daemon clears away what is left of them, here and at GitHub; then it starts"
    say "new ones, unless its pools are drained."
}

code=0
step "What is running"
ghrunner runners stop --all --dry-run || code=$?
if ((code == 0)); then
    by_the_daemon || code=$?
    # It may be gone by now, or hang; 3 is that it takes its time.
    ((code != 0 && code != 3)) || exit "$code"
fi
((code != 77)) || give_up 77 "not permitted: run it as root"
# Whatever keeps the daemon from answering must not keep the runners going.
find_engine
by_the_engine
