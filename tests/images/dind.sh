#!/bin/sh
# Builds the image of an inner engine out of Debian packages (no registry needed): dockerd, its client and a shell.
# Prints the image's reference. A second run finds the image and does nothing; delete it to build it anew.
#
#   tests/images/dind.sh [REFERENCE]
#
# Needs root, debootstrap and a running engine. Takes about a minute and a half the first time.
set -eu

image=${1:-ghrunner-test/dind:bookworm-1}
if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image"
    exit 0
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=docker.io,iptables,ca-certificates bookworm "$root/fs" >"$root/log" 2>&1 || {
    tail -20 "$root/log" >&2
    exit 1
}
rm -rf "$root"/fs/var/cache/apt/archives/*.deb "$root"/fs/var/lib/apt/lists/*

# Takes the same arguments as the entry point of docker.io/library/docker:dind.
cat >"$root/fs/usr/local/bin/dockerd-entrypoint.sh" <<'ENTRY'
#!/bin/sh
exec "$@"
ENTRY
chmod 0755 "$root/fs/usr/local/bin/dockerd-entrypoint.sh"

tar -C "$root/fs" -c . | docker import \
    --change 'ENTRYPOINT ["/usr/local/bin/dockerd-entrypoint.sh"]' --change 'CMD ["dockerd"]' - "$image" >/dev/null
echo "$image"
