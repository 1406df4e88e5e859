#!/usr/bin/env bash
# Makes the RPM package of a built program, and prints where it is.
#
#   packaging/rpm.sh [--version VERSION] PROGRAM FOLDER
#
# VERSION is the one in Cargo.toml unless given, such as 0.1.0+1 for a newer package of the same program.
set -euo pipefail
# shellcheck source=packaging/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    parse_package rpm "$@"
    want rpmbuild rpm
    want readelf binutils
    install_wanted
    set_epoch
    local machine
    machine=$(machine_of "$PROGRAM")
    WORK=$(mktemp -d -t ghrunner-rpm.XXXXXX)
    trap 'rm -rf "$WORK"' EXIT
    local tree=$WORK/tree
    "$ROOT/packaging/stage.sh" "$PROGRAM" "$tree"
    # Where this family looks for what zsh completes.
    mv "$tree/usr/share/zsh/vendor-completions" "$tree/usr/share/zsh/site-functions"
    licences "$tree"
    settle "$tree"
    listed "$tree" >"$WORK/files"
    # Beside itself it writes nothing but the package: not into a home, nor into the database of a machine that has none.
    quietly rpmbuild -bb --target "$machine-unknown-linux" --define "_topdir $WORK/rpmbuild" --define "_rpmdir $WORK/out" \
        --define "_tmppath $WORK" --dbpath "$WORK/db" \
        --define "ghrunner_version $VERSION" --define "ghrunner_maintainer $MAINTAINER" \
        --define "ghrunner_date $(date '+%a %b %d %Y' -d "@$SOURCE_DATE_EPOCH")" --define "ghrunner_tree $tree" --define "ghrunner_files $WORK/files" "$ROOT/packaging/rpm/ghrunner.spec"
    mkdir -p "$OUT"
    local rpm=$OUT/ghrunner-$VERSION-1.$machine.rpm
    mv "$WORK/out/$machine/ghrunner-$VERSION-1.$machine.rpm" "$rpm"
    printf '%s\n' "$rpm"
}

licences() {
    local file
    for file in LICENSE LICENSE-MIT LICENSE-APACHE; do
        install -D -m 0644 "$ROOT/$file" "$1/usr/share/licenses/ghrunner/$file"
    done
}

# The list of files as rpm wants it, each with what it is for. The folders that are ours alone go with the package.
listed() {
    printf '%%defattr(-,root,root)\n'
    (cd "$1" && find usr \( -type f -o -type l \) -print | sort) | while read -r file; do
        case $file in
        usr/share/licenses/*) printf '%%license /%s\n' "$file" ;;
        usr/share/doc/* | usr/share/man/*) printf '%%doc /%s\n' "$file" ;;
        *) printf '/%s\n' "$file" ;;
        esac
    done
    (cd "$1" && find usr -type d \( -name ghrunner -o -path '*/ghrunner/*' -o -name 'ghrunner-.slice.d' \) -print | sort) |
        sed 's,^,%dir /,'
}

main "$@"
