#!/usr/bin/env bash
# Lays out the files of a package, from which both the deb and the rpm are made.
#
#   packaging/stage.sh PROGRAM FOLDER
#
# PROGRAM is a built ghrunner that runs on this machine: it writes its own manual pages and completions. Where it is for
# another one, name in GHRUNNER_HOST_PROGRAM the same version built for this one.
set -euo pipefail
# shellcheck source=packaging/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Scripts that people type, each a command of its own: ghrunner-NAME.
SCRIPTS=(start stop status org-status rollback emergency-stop)

main() {
    (($# == 2)) || die "usage: packaging/stage.sh PROGRAM FOLDER"
    PROGRAM=$1 DEST=$2
    [[ -x $PROGRAM ]] || die "$PROGRAM is no program; build one, or name another"
    want python3 python3
    want readelf binutils
    need_rust
    set_epoch
    mkdir -p "$DEST"
    put 0755 "$PROGRAM" usr/bin/ghrunner
    units
    scripts
    generated
    papers
    settle "$DEST"
}

# put MODE FILE TARGET
put() { install -D -m "$1" "$2" "$DEST/$3"; }

# zip TARGET: gzip without a name and time of its own.
zip() { gzip -9nc >"$DEST/$1" && chmod 0644 "$DEST/$1"; }

units() {
    local unit
    for unit in ghrunner.service ghrunner.socket ghrunner.slice ghrunner-.slice.d/10-ghrunner.conf; do
        put 0644 "$ROOT/systemd/$unit" "usr/lib/systemd/system/$unit"
    done
    put 0644 "$ROOT/systemd/ghrunner.sysusers" usr/lib/sysusers.d/ghrunner.conf
    put 0644 "$ROOT/systemd/ghrunner.tmpfiles" usr/lib/tmpfiles.d/ghrunner.conf
}

scripts() {
    local name
    [[ -e $ROOT/scripts/operator.sh ]] || return 0
    mkdir -p "$DEST/usr/sbin" "$DEST/usr/share/man/man8"
    put 0644 "$ROOT/scripts/operator.sh" usr/libexec/ghrunner/operator.sh
    for name in "${SCRIPTS[@]}"; do
        put 0755 "$ROOT/scripts/$name.sh" "usr/libexec/ghrunner/$name.sh"
        # Whatever bash stands first on an admin's PATH, what a package brings is run by the distribution's.
        sed -i '1s|^#!/usr/bin/env bash$|#!/bin/bash|' "$DEST/usr/libexec/ghrunner/$name.sh"
        ln -sfn "../libexec/ghrunner/$name.sh" "$DEST/usr/sbin/ghrunner-$name"
        script_page "$name" "$ROOT/scripts/$name.sh" | zip "usr/share/man/man8/ghrunner-$name.8.gz"
    done
}

# script_page NAME FILE: a manual page out of the comment at a script's head. Its first sentence is the title; lines that are
# set in are shown as they stand.
script_page() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$2" | sed 's/[\\-]/\\&/g; s/^\([.'"'"']\)/\\\&\1/' | awk -v name="ghrunner-$1" '
        function shown(on) {
            if (on != asis) print on ? ".nf" : ".fi"
            asis = on
        }
        NR == 1 {
            gsub(/-/, "\\-", name)
            title = $0
            sub(/[.:;,].*/, "", title)
            printf ".TH %s 8 \"\" ghrunner\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", name, name, tolower(substr(title, 1, 1)) substr(title, 2)
        }
        /^$/ { print asis ? "" : ".PP"; next }
        { shown($0 ~ /^ /); print }
        END { shown(0); print ".SH SEE ALSO\n.BR ghrunner (1)," ; print ".BR pools.toml (5)" }'
}

generated() {
    local host=${GHRUNNER_HOST_PROGRAM:-$PROGRAM} pages page section
    pages=$(mktemp -d)
    "$host" man "$pages" >/dev/null
    for page in "$pages"/*.[1-8]; do
        section=usr/share/man/man${page##*.}
        mkdir -p "$DEST/$section"
        zip "$section/${page##*/}.gz" <"$page"
    done
    rm -r "$pages"
    mkdir -p "$DEST"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
    "$host" completions bash >"$DEST/usr/share/bash-completion/completions/ghrunner"
    "$host" completions zsh >"$DEST/usr/share/zsh/vendor-completions/_ghrunner"
    "$host" completions fish >"$DEST/usr/share/fish/vendor_completions.d/ghrunner.fish"
}

papers() {
    local doc=usr/share/doc/ghrunner file
    put 0644 "$ROOT/etc/pools.toml.example" "$doc/pools.toml.example"
    for file in "$ROOT"/docs/*.md; do put 0644 "$file" "$doc/manual/${file##*/}"; done
    for file in "$ROOT"/packaging/examples/*; do
        [[ ! -e $file ]] || put 0644 "$file" "$doc/examples/${file##*/}"
    done
    put 0644 "$ROOT/packaging/prometheus/ghrunner.rules.yml" "$doc/examples/ghrunner.rules.yml"
    put 0644 "$ROOT/packaging/grafana/ghrunner.json" "$doc/examples/ghrunner.json"
    zip "$doc/changelog.gz" <"$ROOT/CHANGELOG.md"
    "$ROOT/packaging/inventory" licences "$(machine_of "$PROGRAM")-unknown-linux-gnu" | zip "$doc/third-party-licences.gz"
}

main "$@"
