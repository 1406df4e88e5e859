#!/usr/bin/env bash
# Builds what is released, into a folder: a program that runs with old C libraries, its deb and its rpm, a signed apt
# repository and a signed dnf repository with them, a bill of materials, and checksums.
#
#   scripts/release.sh [--out DIR] [--binary FILE] [--version-suffix TEXT] [--key KEY] [--verify-reproducible[=crate]]
#
#   --out DIR                where to (dist)
#   --binary FILE            package this program instead of building one
#   --version-suffix TEXT    such as +1: packages that count as newer, of the same program
#   --key KEY                sign with this key of gpg's keyring ($GHRUNNER_SIGNING_KEY); without one, with a key that is
#                            made for this once and thrown away
#   --verify-reproducible    build all of it a second time, in another folder, and compare the bytes; with =crate the
#                            libraries are those of the first time, and only what is ours is built again (some minutes)
#
# The same commit gives the same bytes, by the compilers that rust-toolchain.toml and the lines below name: all times are
# the commit's, and no folder's name gets in. Signatures are the exception.
set -euo pipefail
# shellcheck source=packaging/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../packaging/lib.sh"

# The oldest C library that the program shall run with: RHEL 8 has it, Debian 11 and Ubuntu 20.04 have newer ones.
GLIBC=2.28
# zig brings the C compiler and the libraries' symbols of that age.
TOOLS=(cargo-zigbuild==0.24.0 ziglang==0.17.1)

OUT=$ROOT/dist
BINARY=
SUFFIX=
KEY=${GHRUNNER_SIGNING_KEY:-}
VERIFY=
MADE=()

usage() { sed -n '5,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

parse() {
    while (($#)); do
        case $1 in
        --out | --binary | --version-suffix | --key)
            [[ -n ${2:-} ]] || die "$1 wants a value"
            case $1 in
            --out) OUT=$(realpath -m "$2") ;;
            --binary) BINARY=$(realpath "$2") ;;
            --version-suffix) SUFFIX=$2 ;;
            --key) KEY=$2 ;;
            esac
            shift
            ;;
        --verify-reproducible) VERIFY=all ;;
        --verify-reproducible=crate) VERIFY=crate ;;
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
    [[ -z $VERIFY || -z $BINARY ]] || die "--verify-reproducible builds; it has no use for --binary"
}

main() {
    parse "$@"
    prepare
    VERSION=$(crate_version)$SUFFIX
    WORK=$(mktemp -d -t ghrunner-release.XXXXXX)
    trap 'rm -rf "$WORK"' EXIT
    # Its list of sums, empty until the end, marks a folder that may be made anew.
    [[ ! -e $OUT || -e $OUT/SHA256SUMS || -z $(ls -A "$OUT") ]] || die "$OUT holds something else; name another folder"
    rm -rf "$OUT"
    mkdir -p "$OUT"
    : >"$OUT/SHA256SUMS"
    if [[ -n $BINARY ]]; then
        package "$BINARY"
    else
        build_all
    fi
    [[ -z $VERIFY ]] || verify
    signing_key
    repositories
    sums
    say "ghrunner $VERSION is in $OUT:"
    (cd "$OUT" && find . -type f -size +0 -printf '%P\n' | sort) | sed 's/^/  /' >&2
}

prepare() {
    # All at once: apt takes longer to begin than to install.
    want jq jq
    want python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || want /nonexistent python3-venv
    want dpkg-deb dpkg
    want readelf binutils
    want rpmbuild rpm
    want apt-ftparchive apt-utils
    want createrepo_c createrepo-c
    want gpg gpg gpg-agent
    need_rust
    set_epoch
}

# ---- The program --------------------------------------------------------------------------------------------------------

build_all() {
    local target=x86_64-unknown-linux-gnu other
    [[ $(host_triple) == "$target" || $(host_triple) == aarch64-* ]] || die "this machine is neither x86-64 nor arm64"
    build "$(host_triple)"
    # It writes the manual pages of its twin.
    export GHRUNNER_HOST_PROGRAM=$BUILT
    package "$BUILT"
    for other in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do
        [[ $other != "$(host_triple)" ]] || continue
        if [[ ! -d $(cd "$ROOT" && rustc --print sysroot)/lib/rustlib/$other ]]; then
            say "Left out: ${other%%-*}, for which Rust's standard library is not installed (rustup target add $other)"
            continue
        fi
        build "$other"
        package "$BUILT"
    done
}

# build TARGET: where the program is stands in BUILT.
build() {
    local target=$1 folder begun=$SECONDS
    folder=$(target_dir)
    tools "$folder/release-tools"
    say "Building for $target and glibc $GLIBC (some minutes)"
    (
        cd "$ROOT"
        # Names of folders would tell who built it where, and differ.
        export RUSTC_WRAPPER=$folder/release-tools/rustc-remap GHRUNNER_REMAP_TARGET=$folder GHRUNNER_REMAP_SOURCE=$ROOT
        export GHRUNNER_REMAP_CARGO=${CARGO_HOME:-$HOME/.cargo} CARGO_INCREMENTAL=0
        unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
        PATH=$folder/release-tools/bin:$PATH cargo zigbuild --quiet --release --locked --bin ghrunner \
            --target "$target.$GLIBC"
    ) >&2
    BUILT=$folder/$target/release/ghrunner
    say "Built in $((SECONDS - begun)) s"
}

# A folder of Python's for the two tools, beside what cargo builds.
tools() {
    get_tools "$1"
    # There, too: its place and its age are part of what cargo takes for another compiler, and all would be built anew.
    cmp -s "$ROOT/packaging/rustc-remap" "$1/rustc-remap" || install -m 0755 "$ROOT/packaging/rustc-remap" "$1/rustc-remap"
}

get_tools() {
    [[ -x $1/bin/cargo-zigbuild && $(cat "$1/versions" 2>/dev/null) == "${TOOLS[*]}" ]] && return
    say "Getting ${TOOLS[*]}"
    quietly python3 -m venv --clear "$1"
    quietly "$1/bin/pip" install --quiet --disable-pip-version-check "${TOOLS[@]}"
    printf '%s\n' "${TOOLS[*]}" >"$1/versions"
}

# ---- What is made of it -------------------------------------------------------------------------------------------------

# package PROGRAM
package() {
    local machine floor name
    machine=$(machine_of "$1")
    floor=$(glibc_floor "$1")
    say "$machine: runs with glibc $floor and later"
    if [[ -z $BINARY && $(printf '%s\n' "$floor" "$GLIBC" | sort -V | tail -n 1) != "$GLIBC" ]]; then
        die "the program asks for glibc $floor, and must run with $GLIBC"
    fi
    name=ghrunner-$VERSION-$machine
    install -m 0755 "$1" "$OUT/$name"
    "$ROOT/packaging/inventory" sbom "$machine-unknown-linux-gnu" "$1" >"$OUT/$name.cdx.json"
    MADE+=("$name" "$name.cdx.json")
    local file
    for file in "$("$ROOT/packaging/deb.sh" --version "$VERSION" "$1" "$OUT")" \
        "$("$ROOT/packaging/rpm.sh" --version "$VERSION" "$1" "$OUT")"; do
        [[ -e $file ]] || die "a package was not made"
        MADE+=("${file##*/}")
    done
}

# The second time from a copy of the same files, under another name, with nothing that was built before.
verify() {
    local other=$WORK/elsewhere/source begun=$SECONDS name different=0
    say "Building all of it again in $other"
    mkdir -p "$other"
    (cd "$ROOT" && git ls-files -z | tar --null -T - -c) | tar -x -C "$other"
    local environment=(-u CARGO_TARGET_DIR -u GHRUNNER_HOST_PROGRAM)
    if [[ $VERIFY == crate ]]; then
        environment=(-u GHRUNNER_HOST_PROGRAM "CARGO_TARGET_DIR=$(target_dir)")
        (cd "$ROOT" && quietly cargo clean --release --target "$(host_triple)" -p ghrunner)
    fi
    env "${environment[@]}" "$other/scripts/release.sh" --out "$WORK/again" \
        ${SUFFIX:+--version-suffix "$SUFFIX"} 2>"$WORK/again.log" || {
        tail -n 40 "$WORK/again.log" >&2
        die "the second build failed"
    }
    say "Built again in $((SECONDS - begun)) s"
    for name in "${MADE[@]}"; do
        if cmp -s "$OUT/$name" "$WORK/again/$name"; then
            say "the same    $(sha256sum "$OUT/$name" | cut -c1-64)  $name"
        else
            say "DIFFERENT   $name"
            different=1
        fi
    done
    ((different == 0)) || die "the same input gave different bytes"
}

# ---- Signed repositories ------------------------------------------------------------------------------------------------

signing_key() {
    [[ -z $KEY ]] || return 0
    say "!!!! No key was named (--key): signing with one that is thrown away. Good for a test, and for nobody else. !!!!"
    export GNUPGHOME=$WORK/gnupg
    mkdir -m 0700 "$GNUPGHOME"
    KEY="ghrunner throw-away key"
    quietly gpg --batch --passphrase '' --quick-gen-key "$KEY" rsa3072 sign never
    # Its agent would outlive the folder that it serves.
    trap 'gpgconf --kill all; rm -rf "$WORK"' EXIT
}

repositories() {
    "$ROOT/packaging/apt-repo.sh" --key "$KEY" "$OUT/apt" "$OUT"/*.deb
    "$ROOT/packaging/rpm-repo.sh" --key "$KEY" "$OUT/rpm" "$OUT"/*.rpm
}

sums() {
    (cd "$OUT" && sha256sum "${MADE[@]}" >SHA256SUMS)
    gpg --batch --yes --quiet --local-user "$KEY" --armor --detach-sign "$OUT/SHA256SUMS"
}

main "$@"
