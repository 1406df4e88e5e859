#!/usr/bin/env bash
# Makes a signed dnf repository of RPM packages. The packages in it are signed copies.
#
#   packaging/rpm-repo.sh --key KEY FOLDER RPM...
#
# KEY is a secret key in gpg's keyring (GNUPGHOME). The public one comes along as RPM-GPG-KEY-ghrunner.
set -euo pipefail
# shellcheck source=packaging/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    [[ ${1:-} == --key && $# -ge 4 ]] || die "usage: packaging/rpm-repo.sh --key KEY FOLDER RPM..."
    local key=$2 repo=$3
    shift 3
    want createrepo_c createrepo-c
    want rpmsign rpm
    want gpg gpg gpg-agent
    install_wanted
    set_epoch
    mkdir -p "$repo"
    cp -p "$@" "$repo/"
    quietly rpmsign --define "_gpg_name $key" --define "__gpg $(command -v gpg)" --addsign "$repo"/*.rpm
    quietly createrepo_c --no-database --simple-md-filenames --revision "$SOURCE_DATE_EPOCH" "$repo"
    gpg --batch --yes --quiet --local-user "$key" --armor --detach-sign "$repo/repodata/repomd.xml"
    gpg --batch --yes --quiet --armor --export "$key" >"$repo/RPM-GPG-KEY-ghrunner"
}

main "$@"
