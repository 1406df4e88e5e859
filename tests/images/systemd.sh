#!/bin/sh
# Builds the image of a Debian machine that boots: systemd as its first process, the engine of Debian's packages, and
# what an admin types with. Prints the image's reference. A second run finds the image and does nothing; delete it to
# build it anew.
#
#   tests/images/systemd.sh [REFERENCE]
#
# Needs root, debootstrap and a running engine. Takes about two minutes the first time.
set -eu

image=${1:-ghrunner-test/systemd:bookworm-1}
if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image"
    exit 0
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
packages=systemd,systemd-sysv,dbus,libpam-systemd,procps,iproute2,ca-certificates,curl,kmod
packages=$packages,docker.io,iptables,fuse-overlayfs,man-db,bash-completion,rpm
debootstrap --variant=minbase --include="$packages" bookworm "$root/fs" >"$root/log" 2>&1 || {
    tail -20 "$root/log" >&2
    exit 1
}
rm -rf "$root"/fs/var/cache/apt/archives/*.deb "$root"/fs/var/lib/apt/lists/*
# Each machine makes its own when it boots.
: >"$root/fs/etc/machine-id"
# Units that are of no use in a container, or wait for what is not there.
for unit in systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer man-db.timer \
    e2scrub_all.timer fstrim.timer getty.target console-getty.service; do
    ln -sf /dev/null "$root/fs/etc/systemd/system/$unit"
done
mkdir -p "$root/fs/var/log/journal"

# How it boots: the folders of limits writable, and mounts passed on, which credentials need.
cat >"$root/fs/usr/local/sbin/boot" <<'BOOT'
#!/bin/sh
for folder in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    mount -o remount,rw,bind "$folder" 2>/dev/null
done
mount --make-rshared /
exec /sbin/init
BOOT
chmod 0755 "$root/fs/usr/local/sbin/boot"

tar -C "$root/fs" -c . | docker import --change 'ENTRYPOINT ["/usr/local/sbin/boot"]' \
    --change 'ENV container=docker' - "$image" >/dev/null
echo "$image"
