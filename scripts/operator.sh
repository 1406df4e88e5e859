# shellcheck shell=bash
# What the operator's scripts share. They stand side by side, in the repository's scripts/ or where a package puts them, and
# are called there or through links. To be sourced after `set -euo pipefail`.
#
# GHRUNNER          the ghrunner command (default: the one on the PATH; in a checkout, else the one that was built last)
# GHRUNNER_SOCKET   the daemon's control socket, as for the command itself
# GHRUNNER_CONFIG   the configuration file, as for the command itself
# GHRUNNER_UNIT     the service's name (ghrunner)

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
UNIT=${GHRUNNER_UNIT:-ghrunner}
ME=$(basename "$0")

# Exit codes, those of the command: docs/operating.md lists them.
# shellcheck disable=SC2034 # The scripts use it.
BAD=1
FAILED=2
USAGE=64

# All talk goes to standard error: standard output belongs to results.
say() { printf '%s\n' "$*" >&2; }
step() { say "== $*"; }
# give_up CODE WORDS...
give_up() {
    local code=$1
    shift
    say "$ME: $*"
    exit "$code"
}
# On the PATH: functions of the same name do not count.
have() { type -P "$1" >/dev/null; }

# The head of the calling script, from its second line to the first that is no comment, without the marks.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$(readlink -f "$0")" | sed "s/^  ghrunner-[a-z-]*/  $ME/"; }

misused() {
    say "$ME: $*"
    usage >&2
    exit "$USAGE"
}

# wants_value OPTION [VALUE]
wants_value() { [[ -n ${2:-} ]] || misused "$1 wants a value"; }

find_ghrunner() {
    [[ -n ${GHRUNNER:-} ]] && return
    GHRUNNER=$(type -P ghrunner || true)
    [[ -z $GHRUNNER ]] || return 0
    local built
    for built in "$HERE"/../target/{debug,release}/ghrunner; do
        if [[ -x $built && (-z $GHRUNNER || $built -nt $GHRUNNER) ]]; then GHRUNNER=$built; fi
    done
    [[ -n $GHRUNNER ]] || give_up "$FAILED" "there is no ghrunner on the PATH; name it with GHRUNNER=/path/to/ghrunner"
}

ghrunner() { "$GHRUNNER" "$@"; }

# confirm QUESTION: whoever answers anything but yes changes nothing. YES is what --yes sets.
confirm() {
    [[ -z ${YES:-} ]] || return 0
    [[ -t 0 ]] || give_up "$FAILED" "not confirmed, and there is no terminal to ask at; nothing was changed (--yes confirms)"
    local answer
    read -rp "$1 [y/N] " answer || answer=
    case ${answer,,} in
    y | yes) ;;
    *) give_up "$FAILED" "not confirmed; nothing was changed" ;;
    esac
}

# The daemon answers; else its own words say why not, and its exit code goes on.
need_daemon() {
    local code=0
    ghrunner status >/dev/null || code=$?
    ((code == 0)) || exit "$code"
}

# ---- The service manager ------------------------------------------------------------------------------------------------

has_systemd() { [[ -d /run/systemd/system ]] && have systemctl; }

need_systemd() {
    has_systemd || give_up "$FAILED" "there is no systemd here: let your service manager $1 \`ghrunner run\`"
}

# unit_says PROPERTY
unit_says() { systemctl show --property="$1" --value "$UNIT.service" 2>/dev/null; }

unit_is() { [[ $(unit_says ActiveState) == "$1" ]]; }

# The service, and what would start it again at the next webhook.
stop_unit() {
    local units=("$UNIT.service")
    if systemctl --quiet is-active "$UNIT.socket" 2>/dev/null; then units=("$UNIT.socket" "${units[@]}"); fi
    step "Stopping ${units[*]}"
    systemctl stop "${units[@]}"
}

find_ghrunner
