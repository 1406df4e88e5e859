# shellcheck shell=bash disable=SC2034
# What the packaging scripts share: some of its variables are for them alone. To be sourced after `set -euo pipefail`.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

export LC_ALL=C TZ=UTC
umask 022

# Everything that bears a time bears this one, so that the same input gives the same bytes.
set_epoch() {
    [[ -n ${SOURCE_DATE_EPOCH:-} ]] || SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null) ||
        die "set SOURCE_DATE_EPOCH: this is no git checkout"
    export SOURCE_DATE_EPOCH
}

# The version that Cargo.toml names.
crate_version() { sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml"; }

# What a program is built for, as Rust, Debian and RPM call it.
machine_of() {
    case $(readelf -h "$1" | sed -n 's/^ *Machine: *//p') in
    *X86-64*) printf 'x86_64\n' ;;
    *AArch64*) printf 'aarch64\n' ;;
    *) die "$1 is no program for x86-64 or arm64" ;;
    esac
}
deb_arch() { case $1 in x86_64) printf 'amd64\n' ;; aarch64) printf 'arm64\n' ;; esac }

# glibc_floor PROGRAM: the newest version of the C library that it asks for, and so the oldest one that it runs with.
glibc_floor() {
    readelf -V "$1" | grep -o 'Name: GLIBC_[0-9.]*' | sed 's/.*_//' | sort -Vu | tail -n 1
}

# settle FOLDER: all times to one, whatever they were.
settle() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# Who answers for the packages: whoever builds them for others says so.
MAINTAINER=${GHRUNNER_MAINTAINER:-ghrunner maintainers <ghrunner@localhost>}

# parse_package KIND [--version VERSION] PROGRAM FOLDER
parse_package() {
    local kind=$1
    shift
    VERSION=$(crate_version)
    if [[ ${1:-} == --version ]]; then
        VERSION=${2:-}
        shift 2 || die "--version wants a version"
    fi
    [[ $VERSION =~ ^[0-9][0-9A-Za-z.+~]*$ ]] || die "'$VERSION' is no version that both dpkg and rpm can order"
    (($# == 2)) || die "usage: packaging/$kind.sh [--version VERSION] PROGRAM FOLDER"
    PROGRAM=$1 OUT=$2
    [[ -x $PROGRAM ]] || die "$PROGRAM is no program; build one, or name another"
}
