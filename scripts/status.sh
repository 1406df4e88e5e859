#!/usr/bin/env bash
# Shows the service and the fleet.
#
#   ghrunner-status [--watch] [--json]
#
#   --watch   go on showing the fleet, until interrupted
#   --json    the fleet as JSON, and nothing else
#
# Exit codes: 0 the daemon answers, 2 it does not, 77 not permitted.
set -euo pipefail
# shellcheck source=scripts/operator.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/operator.sh"

for argument in "$@"; do
    case $argument in
    -h | --help)
        usage
        exit
        ;;
    --json | --watch | -w) exec "$GHRUNNER" status "$@" ;;
    *) misused "there is no $argument" ;;
    esac
done

if has_systemd; then
    printf 'service %s: %s (%s) since %s, restarted %s times\n' "$UNIT" "$(unit_says ActiveState)" \
        "$(unit_says SubState)" "$(unit_says ActiveEnterTimestamp)" "$(unit_says NRestarts)"
fi
exec "$GHRUNNER" status
