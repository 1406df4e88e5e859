#!/usr/bin/env bash
# Starts the service: checks the file, enables and starts the unit, waits until the fleet stands, shows it, and asks
# the doctor (after the start, since the unit's credentials can be read only while it runs).
#
#   ghrunner-start [--resume] [--timeout SECONDS]
#
#   --resume            serve pools again that were drained, such as by ghrunner-stop
#   --timeout SECONDS   how long to wait for that (300)
#
# Exit codes: 0 it runs and the doctor is content, 1 the file is not good (nothing was started) or the doctor found
# failures, 2 it could not be started, 3 it runs and its fleet does not stand yet.
set -euo pipefail
# shellcheck source=scripts/operator.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/operator.sh"

RESUME=
TIMEOUT=300

while (($#)); do
    case $1 in
    --resume) RESUME=yes ;;
    --timeout)
        wants_value "$@"
        TIMEOUT=$2
        [[ $TIMEOUT =~ ^[1-9][0-9]{0,5}$ ]] || misused "--timeout wants a number of seconds"
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

failed_to_start() {
    systemctl status --no-pager --lines=20 "$UNIT.service" >&2 || true
    give_up "$FAILED" "$UNIT did not start; \`journalctl -u $UNIT\` has all of it"
}

# Until the unit is active, which it is once the fleet stands; shows its status line as it changes.
wait_for_unit() {
    local deadline=$((SECONDS + TIMEOUT)) line last=
    until unit_is active; do
        ! unit_is failed || failed_to_start
        # It is started again and again: what keeps it from standing is in its log.
        [[ $(unit_says SubState) != auto-restart || $(unit_says NRestarts) -lt 2 ]] || failed_to_start
        line=$(unit_says StatusText)
        [[ -z $line || $line == "$last" ]] || say "   $line"
        last=$line
        if ((SECONDS >= deadline)); then
            say "$ME: the fleet does not stand after ${TIMEOUT}s, and the service goes on: $line"
            exit 3
        fi
        sleep 0.5
    done
}

need_systemd start
step "Checking the configuration"
ghrunner check || give_up "$BAD" "the file is not good; nothing was started"
if unit_is active; then
    step "$UNIT runs already"
    systemctl --quiet is-enabled "$UNIT.service" || systemctl enable "$UNIT.service"
else
    step "Enabling and starting $UNIT"
    systemctl enable "$UNIT.service"
    systemctl reset-failed "$UNIT.service" 2>/dev/null || true
    # A socket can be passed only to a service that has not started.
    if systemctl --quiet is-enabled "$UNIT.socket" 2>/dev/null; then systemctl start "$UNIT.socket"; fi
    systemctl start --no-block "$UNIT.service"
    # Whether the start has begun at all is to be seen in a moment.
    sleep 0.2
    wait_for_unit
fi
[[ -z $RESUME ]] || ghrunner resume
step "The fleet"
ghrunner status
step "The doctor"
ghrunner doctor || give_up "$BAD" "the service runs, and the doctor found failures"
