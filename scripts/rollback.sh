#!/usr/bin/env bash
# Moves organization pools to runners of their repositories, or back. It checks, keeps a copy of the configuration, shows
# what would change, asks, changes the mode, waits until every repository has its runner, and reports. Busy runners finish
# their jobs. It may be interrupted at any point and run again: it says what is so already, and goes on.
#
#   ghrunner-rollback [--dry-run] [--yes] [--force] [--timeout TIME]
#   ghrunner-rollback --undo [--dry-run] [--yes] [--force] [--timeout TIME]
#
#   --undo           back to runners of the organizations
#   --dry-run        only say what would change, and what speaks against it
#   --yes            do not ask
#   --force          go on although something grave speaks against it
#   --timeout TIME   how long to wait for the runners (10m)
#
# The copy goes to a folder of its own in GHRUNNER_BACKUP_DIR (/var/backups/ghrunner).
#
# Exit codes: 0 done, 1 something speaks against it and nothing was changed, 2 could not be carried out or not confirmed,
# 3 changed, and not every repository has its runner yet, 77 not permitted, 130 interrupted.
set -euo pipefail
# shellcheck source=scripts/operator.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/operator.sh"

BACKUPS=${GHRUNNER_BACKUP_DIR:-/var/backups/ghrunner}
UNDO=()
FORCE=()
ASK=()
TIMEOUT=10m
DRY=

while (($#)); do
    case $1 in
    --undo) UNDO=(--undo) ;;
    --dry-run) DRY=yes ;;
    -y | --yes) ASK=(--yes) ;;
    --force) FORCE=(--force) ;;
    --timeout)
        wants_value "$@"
        TIMEOUT=$2
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

again="$ME${UNDO[*]:+ ${UNDO[*]}}"
# shellcheck disable=SC2317 # The trap calls it.
interrupted() {
    say
    say "Interrupted. What the daemon has begun it goes on with; \`ghrunner status\` shows its mode. Run $again again to go on"
    say "from there."
    exit 130
}
trap interrupted INT TERM

step "Is the daemon there, and the file good?"
need_daemon
if ! ghrunner check; then
    ((${#FORCE[@]})) || give_up "$BAD" "the file is not good: mend it first; nothing was changed"
fi

if [[ -n $DRY || ${#ASK[@]} -gt 0 ]]; then
    step "What would change"
    code=0
    ghrunner rollback "${UNDO[@]}" --dry-run || code=$?
    if [[ -n $DRY ]]; then exit "$code"; fi
    if ((code == 1 && ${#FORCE[@]} == 0)); then
        give_up "$BAD" "something speaks against it, and nothing was changed (--force goes on)"
    fi
    ((code <= 1)) || exit "$code"
fi

step "The change"
code=0
ghrunner rollback "${UNDO[@]}" "${ASK[@]}" "${FORCE[@]}" --backup "$BACKUPS" --wait --timeout "$TIMEOUT" || code=$?
case $code in
0)
    if ((${#UNDO[@]})); then say "Done."; else say "Done. Back to the organizations: $ME --undo"; fi
    ;;
3) say "Run $again again to wait on." ;;
esac
exit "$code"
