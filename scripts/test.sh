#!/usr/bin/env bash
# Runs all tests, after installing what they need and this machine lacks.
#
#   scripts/test.sh            everything, with the real container engine
#   scripts/test.sh --quick    only what needs no engine
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Test programs that talk to the container engine.
WITH_ENGINE='binary(engine) | binary(e2e)'

usage() { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

prepare() {
    want jq jq
    want openssl openssl
    need_rust
    need_nextest
    [[ $1 == quick ]] && return
    # The stand-in image is linked statically, a test pulls from a registry of its own, and the inner engine's image is
    # made of Debian packages.
    want docker-registry docker-registry
    want debootstrap debootstrap
    install_wanted
    need_engine
    build_dind_image
    # Once, instead of by each test that asks for it.
    STANDIN_RUNNER=$(build_standin)
    export STANDIN_RUNNER
}

# Before the tests, so that those which want it do not all make it at once.
build_dind_image() {
    say "Making sure of the inner engine's image (a minute and a half the first time)"
    quietly "$ROOT/tests/images/dind.sh"
}

run_tests() {
    cd "$ROOT"
    if [[ $1 == quick ]]; then
        cargo nextest run --workspace -E "not ($WITH_ENGINE)"
        return
    fi
    # First, so that the last lines are the summary of everything else; both are needed for success.
    cargo test --workspace --doc
    cargo nextest run --workspace
}

main() {
    local how=full
    case ${1:-} in
    '') ;;
    --quick) how=quick ;;
    -h | --help)
        usage
        return
        ;;
    *)
        usage >&2
        return 64
        ;;
    esac
    prepare "$how"
    run_tests "$how"
}

main "$@"
