//! Upgrade, downgrade, removal and purge, of the deb and of the rpm.

use std::collections::BTreeSet;

use crate::machine::Machine;
use crate::site::Site;

/// The version that apt would install.
fn candidate(machine: &Machine) -> String {
    machine.sh("apt-cache policy ghrunner | awk '/Candidate:/ { print $2 }'").trim().to_owned()
}

/// Everything in the file system that has our name or our user's numbers, but for what apt, dpkg and the engine remember.
fn ours(machine: &Machine) -> BTreeSet<String> {
    let found = machine.sh(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /srv -o -path /var/lib/docker -o -path /var/log/journal \\) \
         -prune -o -name '*ghrunner*' -print | grep -v -e ^/var/lib/apt/ -e ^/var/cache/apt/ -e ^/usr/share/keyrings/ \
         -e ^/etc/apt/ -e ^/var/log/apt -e ^/tmp/ || true",
    );
    let mut paths: BTreeSet<String> = found.lines().map(str::to_owned).collect();
    let nobodys = machine.sh("find /etc /var /usr /run -xdev \\( -nouser -o -nogroup \\) -print");
    paths.extend(nobodys.lines().map(|path| format!("{path} (nobody's)")));
    paths
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn an_upgrade_and_the_way_back_disturb_no_job() {
    let site = Site::new().await;
    let machine = &site.machine;
    site.trust();
    let old = candidate(machine);
    machine.sh("apt-get install -y ghrunner");
    site.serve().await;
    let job = site.busy("acme/app", 60).await;

    let before = machine.property("MainPID");
    site.trust_newer();
    assert_ne!(candidate(machine), old, "there must be a newer package of the same program");
    let said = machine.sh("apt-get upgrade -y");
    assert!(!said.contains("onfiguration file"), "nobody is asked about a file that was not shipped: {said}");
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    let between = machine.property("MainPID");
    assert_ne!(between, before, "the new one runs");
    assert!(site.runs(job), "{}", machine.told());
    machine.sh(&format!("apt-get install -y --allow-downgrades ghrunner={old}"));
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    assert_ne!(machine.property("MainPID"), between, "the old one runs");
    assert!(site.runs(job), "{}", machine.told());
    assert_eq!(machine.sh("systemctl is-enabled ghrunner").trim(), "enabled");
    site.succeeds(job).await;
    site.idle(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn removal_keeps_what_the_admin_wrote_and_purge_keeps_nothing() {
    let site = Site::new().await;
    let machine = &site.machine;
    site.trust();
    let before = ours(machine);
    machine.sh("apt-get install -y ghrunner");
    site.serve().await;

    machine.sh("apt-get remove -y ghrunner");
    assert_eq!(
        machine.sh("stat -c %a /etc/ghrunner/pools.toml /etc/ghrunner/credentials/github-token").trim(),
        "644\n600"
    );
    assert_ne!(machine.attempt("systemctl is-active ghrunner").code, 0);
    assert_eq!(machine.sh("docker ps -q | wc -l").trim(), "2", "runners outlive the package");
    machine.sh("apt-get install -y ghrunner && systemctl start ghrunner");
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    site.idle(2).await;

    site.configure("");
    machine.until("the fleet is empty", "test $(docker ps -aq | wc -l) = 0").await;
    machine.sh("apt-get purge -y ghrunner");
    assert_eq!(ours(machine), before);
    assert_ne!(machine.attempt("getent passwd ghrunner || getent group ghrunner").code, 0);
    assert_eq!(machine.sh("systemctl list-unit-files --no-legend 'ghrunner*' || true").trim(), "");
    let networks = machine.sh("docker network ls -q --filter label=io.ghrunner.instance | wc -l");
    assert_eq!(networks.trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn the_rpm_installs_serves_upgrades_and_goes() {
    let site = Site::new().await;
    let machine = &site.machine;
    let before = ours(machine);
    // A Debian has no rpm database that would know of systemd or the C library.
    machine.sh("rpm --install --nodeps /srv/packages/rpm/*.x86_64.rpm");
    site.serve().await;
    let job = site.busy("acme/app", 30).await;
    let before_upgrade = machine.property("MainPID");
    machine.sh("rpm --upgrade --nodeps /srv/newer/rpm/*.x86_64.rpm");
    machine.until("it is ready", "systemctl is-active ghrunner").await;
    assert_ne!(machine.property("MainPID"), before_upgrade, "the new one runs");
    assert!(site.runs(job), "{}", machine.told());
    site.succeeds(job).await;
    site.configure("");
    machine.until("the fleet is empty", "test $(docker ps -aq | wc -l) = 0").await;
    machine.sh("rpm --erase --nodeps ghrunner");
    assert_ne!(machine.attempt("systemctl is-active ghrunner").code, 0);
    // As rpm has it: what the admin wrote stays, and so does the user (there is no purge).
    let left: BTreeSet<String> = ours(machine).difference(&before).cloned().collect();
    let kept =
        ["/etc/ghrunner", "/var/lib/ghrunner", "/var/log/ghrunner", "/var/lib/systemd", "/var/lib/rpm"];
    let strays: Vec<&String> = left.iter().filter(|path| !kept.iter().any(|k| path.starts_with(k))).collect();
    assert!(strays.is_empty(), "{strays:?}");
}
