#!/usr/bin/env bash
# Makes a signed apt repository of all Debian packages in a folder.
#
#   packaging/apt-repo.sh --key KEY FOLDER DEB...
#
# KEY is a secret key in gpg's keyring (GNUPGHOME). The public one comes along as ghrunner.gpg.
set -euo pipefail
# shellcheck source=packaging/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    [[ ${1:-} == --key && $# -ge 4 ]] || die "usage: packaging/apt-repo.sh --key KEY FOLDER DEB..."
    local key=$2 repo=$3
    shift 3
    want apt-ftparchive apt-utils
    want gpg gpg gpg-agent
    install_wanted
    set_epoch
    mkdir -p "$repo/pool/main"
    cp -p "$@" "$repo/pool/main/"
    (cd "$repo" && index "$key")
}

index() {
    local key=$1 arch list release=dists/stable
    rm -rf dists
    for arch in amd64 arm64; do
        list=$release/main/binary-$arch
        mkdir -p "$list"
        apt-ftparchive --arch "$arch" packages pool >"$list/Packages"
        gzip -9nk "$list/Packages"
    done
    apt-ftparchive -o APT::FTPArchive::Release::Origin=ghrunner -o APT::FTPArchive::Release::Label=ghrunner \
        -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=stable \
        -o APT::FTPArchive::Release::Components=main -o 'APT::FTPArchive::Release::Architectures=amd64 arm64' \
        release "$release" >"$release.new"
    mv "$release.new" "$release/Release"
    gpg --batch --yes --quiet --local-user "$key" --clearsign --output "$release/InRelease" "$release/Release"
    gpg --batch --yes --quiet --local-user "$key" --armor --detach-sign --output "$release/Release.gpg" "$release/Release"
    gpg --batch --yes --quiet --export "$key" >ghrunner.gpg
}

main "$@"
