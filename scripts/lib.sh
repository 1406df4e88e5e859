# shellcheck shell=bash
# What the scripts beside this one share: words for the terminal, and getting what a bare Debian machine lacks.
# To be sourced after `set -euo pipefail`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# dockerd and debootstrap are in sbin, rustup's proxies and what cargo installs in its own folder.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
export PATH

# All talk goes to standard error: standard output belongs to results.
say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# ---- Debian packages ----------------------------------------------------------------------------------------------------

MISSING=()

# want COMMAND-OR-FILE PACKAGE...: notes the packages if it is not there.
want() {
    local sign=$1
    shift
    if [[ $sign == /* ]]; then
        [[ -e $sign ]] && return
    else
        have "$sign" && return
    fi
    MISSING+=("$@")
}

# Installs what was noted, in one go.
install_wanted() {
    ((${#MISSING[@]})) || return 0
    ((EUID == 0)) || die "these packages are missing, and only root can install them: ${MISSING[*]}"
    have apt-get || die "these Debian packages are missing, and there is no apt-get: ${MISSING[*]}"
    say "Installing: ${MISSING[*]}"
    # apt takes one caller at a time, and turns further ones away.
    exec {APT_LOCK}>>"${TMPDIR:-/tmp}/ghrunner-apt.lock"
    flock "$APT_LOCK"
    apt_refresh
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${MISSING[@]}"
    # Not only closed: what a package starts may have it open, too.
    flock -u "$APT_LOCK"
    exec {APT_LOCK}>&-
    MISSING=()
}

APT_FRESH=
apt_refresh() {
    [[ -n $APT_FRESH ]] && return
    quietly apt-get update
    APT_FRESH=yes
}

apt_knows() { apt-cache show "$1" >/dev/null 2>&1; }

# Runs a command whose output is of interest only if it fails.
quietly() {
    local log
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then
        rm -f "$log"
    else
        local code=$?
        tail -n 40 "$log" >&2
        rm -f "$log"
        say "error: $1 failed with $code"
        return "$code"
    fi
}

# ---- Rust ---------------------------------------------------------------------------------------------------------------

# cargo in the version that rust-toolchain.toml names, a C compiler and linker for it.
need_rust() {
    want cc gcc
    want /usr/include/stdlib.h libc6-dev
    install_wanted
    have rustup || cargo_is_new_enough || install_rustup
    # Outside of the repository another toolchain may be in force; within it, rustup fetches the right one when first asked.
    (cd "$ROOT" && quietly cargo --version) || (cd "$ROOT" && quietly rustup toolchain install "$(channel)")
}

channel() { sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml"; }

cargo_is_new_enough() {
    have cargo || return 1
    local oldest found
    oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    found=$(cd "$ROOT" && cargo --version | cut -d' ' -f2)
    [[ $(printf '%s\n' "$oldest" "$found" | sort -V | head -n 1) == "$oldest" ]]
}

install_rustup() {
    say "Installing Rust"
    ((EUID != 0)) || apt_refresh
    if ((EUID == 0)) && apt_knows rustup; then
        want rustup rustup
        install_wanted
        return
    fi
    want curl curl ca-certificates
    install_wanted
    local init
    init=$(mktemp)
    curl --proto '=https' --tlsv1.2 -sSf -o "$init" https://sh.rustup.rs
    quietly sh "$init" -y --no-modify-path --profile minimal --default-toolchain none
    rm -f "$init"
    hash -r
}

need_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return
    say "Installing cargo-nextest (some minutes)"
    quietly cargo install --locked cargo-nextest
}

# The machine's own target triple, such as x86_64-unknown-linux-gnu.
host_triple() { (cd "$ROOT" && rustc -vV) | sed -n 's/^host: //p'; }

# Where cargo puts what it builds.
target_dir() {
    (cd "$ROOT" && cargo metadata --no-deps --format-version 1) | jq -r .target_directory
}

# ---- The container engine -----------------------------------------------------------------------------------------------

engine_answers() { docker version >/dev/null 2>&1; }

# An engine that answers: the one that runs, else one that is installed, else Debian's.
need_engine() {
    have docker && engine_answers && return
    [[ -z ${DOCKER_HOST:-} ]] || die "no container engine answers at $DOCKER_HOST"
    install_engine
    engine_answers && return
    start_engine
    wait_for 60 engine_answers || {
        [[ ! -e ${ENGINE_LOG:-} ]] || tail -n 20 "$ENGINE_LOG" >&2
        die "the container engine does not answer"
    }
}

install_engine() {
    want dockerd docker.io
    # Debian 13 has the client in a package of its own.
    if ! have docker && ((EUID == 0)); then
        apt_refresh
        if apt_knows docker-cli; then want docker docker-cli; else want docker docker.io; fi
    fi
    install_wanted
}

start_engine() {
    ((EUID == 0)) || die "no container engine answers, and only root can start one"
    say "Starting the container engine"
    if [[ -d /run/systemd/system ]]; then
        quietly systemctl start docker && return
    fi
    ENGINE_LOG=$(mktemp --suffix=.dockerd.log)
    # A session of its own: it is the machine's engine from now on, and must outlive this script.
    setsid dockerd >"$ENGINE_LOG" 2>&1 </dev/null &
    disown
}

# Where the engine listens, as pools.toml says it.
engine_endpoint() {
    local host=${DOCKER_HOST:-}
    [[ -n $host ]] || host=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
    printf '%s\n' "${host:-unix:///run/docker.sock}"
}

# ---- What tests stand in for --------------------------------------------------------------------------------------------

# Builds the stand-in runner, linked statically as it is the whole content of its image; prints its path.
build_standin() {
    local triple
    triple=$(host_triple)
    local flags=${triple^^}
    flags=CARGO_TARGET_${flags//-/_}_RUSTFLAGS
    (
        cd "$ROOT" || exit
        env -u RUSTFLAGS "$flags=-C target-feature=+crt-static" \
            cargo build --quiet --locked -p githubsim --bin standin-runner --target "$triple"
    ) >&2
    printf '%s\n' "$(target_dir)/$triple/debug/standin-runner"
}

# bridge_address [NETWORK]: where containers reach this machine, whatever network they are on: the address of the engine's
# default bridge, or of another. An engine that found its bridge made already does not tell; it is the subnet's first then.
bridge_address() {
    local gateway subnet
    IFS='|' read -r gateway subnet < <(docker network inspect "${1:-bridge}" \
        --format '{{range .IPAM.Config}}{{.Gateway}}|{{.Subnet}}{{"\n"}}{{end}}' | grep -m1 '[0-9]\.[0-9]')
    [[ -n $gateway$subnet ]] || return 1
    [[ -n $gateway ]] || subnet=${subnet%/*} gateway=${subnet%.*}.$((${subnet##*.} + 1))
    printf '%s\n' "$gateway"
}

# ---- Processes and things of one run --------------------------------------------------------------------------------------

# What background started, the last one last.
STARTED=()

# background NAME COMMAND...: its output goes to $DIR/NAME.log.
background() {
    local name=$1
    shift
    "$@" >"$DIR/$name.log" 2>&1 </dev/null &
    STARTED+=($!)
}

log_end() { tail -n 20 "$DIR/$1.log"; }

end_process() {
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}

# The last one first: a daemon would make anew what is removed beneath it.
end_started() {
    local i
    for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do end_process "${STARTED[i]}"; done
}

# A port that nobody listens on, of those that the kernel gives to nobody by itself.
free_port() {
    local port
    while
        port=$((20000 + RANDOM % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null
    do :; done
    printf '%s\n' "$port"
}

# secret FILE TEXT: a file that only its owner reads.
secret() {
    install -m 0600 /dev/null "$1"
    printf '%s' "$2" >"$1"
}

# simulated_github PROGRAM NETWORK ARGUMENT...: starts it where containers on that network reach it, with what
# $DIR/github.toml says; its address is in SIM then.
simulated_github() {
    local program=$1 address
    address=$(bridge_address "$2") || die "the engine's network $2 has no address"
    NO_COLOR=1 background github "$program" --listen "$address:0" --state "$DIR/github.toml" "${@:3}"
    wait_for 10 grep -q 'address=' "$DIR/github.log" || die "the simulated GitHub does not start: $(log_end github)"
    # shellcheck disable=SC2034 # for whoever sources this
    SIM=http://$(sed 's/\x1b\[[0-9;]*m//g' "$DIR/github.log" | sed -n 's/.*address=\([0-9.:]*\).*/\1/p' | head -n 1)
}

# remove_labelled LABEL: the engine's containers, volumes and networks that have it.
remove_labelled() {
    docker ps -aq --filter "label=$1" | xargs -r docker rm -fv >/dev/null 2>&1 || true
    docker volume ls -q --filter "label=$1" | xargs -r docker volume rm >/dev/null 2>&1 || true
    docker network ls -q --filter "label=$1" | xargs -r docker network rm >/dev/null 2>&1 || true
}
