#!/usr/bin/env bash
# Stops the service. Before that it drains all pools and waits until no runner is left: busy ones finish their jobs.
#
#   ghrunner-stop [--timeout TIME]
#   ghrunner-stop --now
#
#   --timeout TIME   how long to wait for jobs (30m, 2h; without it, for as long as they take); if runners are left then,
#                    nothing is stopped, and the pools stay drained
#   --now            stop the daemon only: runners and their jobs go on without it, and the next start adopts them
#
# The pools stay drained: ghrunner-start --resume serves them again.
#
# Exit codes: 0 stopped, 2 could not be stopped, 3 runners are left at --timeout, and the service goes on.
set -euo pipefail
# shellcheck source=scripts/operator.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/operator.sh"

NOW=
TIMEOUT=()

while (($#)); do
    case $1 in
    --now) NOW=yes ;;
    --timeout)
        wants_value "$@"
        TIMEOUT=(--timeout "$2")
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
[[ -z $NOW || ${#TIMEOUT[@]} == 0 ]] || misused "--now waits for nothing, and takes no --timeout"

need_systemd stop
if unit_is inactive || unit_is failed; then
    say "$UNIT does not run; nothing to stop. Runners that it left go on by themselves."
    exit 0
fi
if [[ -n $NOW ]]; then
    ghrunner runners list >&2 || true
    stop_unit || give_up "$FAILED" "$UNIT could not be stopped"
    say "The daemon is stopped. Its runners and their jobs go on; the next start adopts them."
    exit 0
fi
step "Draining all pools"
trap 'say; say "Interrupted: $UNIT goes on, and its pools stay drained; \`ghrunner resume\` serves them again"; exit 130' INT TERM
code=0
ghrunner drain --wait "${TIMEOUT[@]}" || code=$?
((code == 0)) || give_up "$code" "$UNIT was not stopped"
trap - INT TERM
stop_unit || give_up "$FAILED" "$UNIT could not be stopped"
say "Stopped, and no runner is left. The pools stay drained: ghrunner-start --resume serves them again."
