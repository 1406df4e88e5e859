#!/usr/bin/env bash
# Makes the Debian package of a built program, and prints where it is.
#
#   packaging/deb.sh [--version VERSION] PROGRAM FOLDER
#
# VERSION is the one in Cargo.toml unless given, such as 0.1.0+1 for a newer package of the same program.
set -euo pipefail
# shellcheck source=packaging/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    parse_package deb "$@"
    # The second part counts packages of the same version; each has a version of its own here.
    VERSION+=-1
    want dpkg-deb dpkg
    want readelf binutils
    install_wanted
    set_epoch
    ARCH=$(deb_arch "$(machine_of "$PROGRAM")")
    WORK=$(mktemp -d -t ghrunner-deb.XXXXXX)
    trap 'rm -rf "$WORK"' EXIT
    local tree=$WORK/tree
    "$ROOT/packaging/stage.sh" "$PROGRAM" "$tree"
    papers "$tree"
    control "$tree"
    settle "$tree"
    mkdir -p "$OUT"
    local deb=$OUT/ghrunner_${VERSION}_$ARCH.deb
    # xz is what Debian 11 can read. A debug build is for tests, and would take minutes.
    local level=6
    ! readelf -S "$PROGRAM" | grep -q '\.debug_info' || level=0
    quietly dpkg-deb --root-owner-group -Zxz "-z$level" --build "$tree" "$deb"
    printf '%s\n' "$deb"
}

papers() {
    local doc=$1/usr/share/doc/ghrunner
    install -D -m 0644 "$ROOT/packaging/deb/copyright" "$doc/copyright"
    printf 'ghrunner (%s) unstable; urgency=medium\n\n  * What changed stands in changelog.gz beside this file.\n\n -- %s  %s\n' \
        "$VERSION" "$MAINTAINER" "$(date -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9nc >"$doc/changelog.Debian.gz"
    install -D -m 0644 "$ROOT/packaging/deb/lintian-overrides" "$1/usr/share/lintian/overrides/ghrunner"
}

control() {
    local tree=$1 script size
    # In the measure of dpkg: KiB, as a file system would round them up, without the control files.
    size=$(find "$tree" -type f -printf '%s\n' | awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }')
    mkdir "$tree/DEBIAN"
    sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$ARCH/" -e "s/@SIZE@/$size/" -e "s|@MAINTAINER@|$MAINTAINER|" \
        -e "s/@GLIBC@/$(glibc_floor "$PROGRAM")/" "$ROOT/packaging/deb/control" >"$tree/DEBIAN/control"
    for script in postinst prerm postrm; do
        install -m 0755 "$ROOT/packaging/deb/$script" "$tree/DEBIAN/$script"
    done
    (cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
}

main "$@"
