#!/usr/bin/env bash
# Shows each organization of pools.toml as GitHub has it: its runner groups, which repositories they admit, the runners in
# each and whose they are, and what disagrees with the file.
#
#   ghrunner-org-status [ORGANIZATION...] [--json] [--config FILE]
#
# Run it as root, so that it can read the service's credentials. Needs no daemon.
#
# Exit codes: 0 all agrees, 1 something disagrees or cannot be seen, 78 the configuration is missing or wrong.
set -euo pipefail
# shellcheck source=scripts/operator.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/operator.sh"

for argument in "$@"; do
    case $argument in
    -h | --help)
        usage
        exit
        ;;
    esac
done
exec "$GHRUNNER" org-status "$@"
