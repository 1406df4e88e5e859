//! Upgrade, downgrade, removal and purge, of the deb and of the rpm.

use std::collections::BTreeSet;

use crate::machine::Machine;
use crate::site::BUILD;
use crate::site::Site;

/// The version that is in the repository beside the newer one.
fn older(machine: &Machine) -> String {
    let versions = machine.sh("apt-cache madison ghrunner | awk '{ print $3 }' | sort -V");
    versions.lines().next().unwrap().to_owned()
}

/// The newest one there.
fn newest(machine: &Machine) -> String {
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
    let (old, new) = (older(machine), newest(machine));
    assert_ne!(old, new, "the repository must hold a newer package of the same program");
    machine.sh(&format!("apt-get install -y ghrunner={old}"));
    site.give_image();
    site.give_token();
    site.configure(BUILD);
    machine.sh("systemctl enable --now ghrunner");
    site.idle(2).await;
    let job = site.busy("acme/app", 60).await;

    let before = machine.property("MainPID");
    let said = machine.sh("apt-get install -y ghrunner");
    assert!(!said.contains("onfiguration file"), "nobody is asked about a file that was not shipped: {said}");
    machine.until("it is ready", "systemctl is-active ghrunner");
    let between = machine.property("MainPID");
    assert_ne!(between, before, "the new one runs");
    assert!(site.runs(job), "{}", machine.told());
    machine.sh(&format!("apt-get install -y --allow-downgrades ghrunner={old}"));
    machine.until("it is ready", "systemctl is-active ghrunner");
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
    site.give_image();
    site.give_token();
    site.configure(BUILD);
    machine.sh("systemctl enable --now ghrunner");
    site.idle(2).await;

    machine.sh("apt-get remove -y ghrunner");
    assert_eq!(
        machine.sh("stat -c %a /etc/ghrunner/pools.toml /etc/ghrunner/credentials/github-token").trim(),
        "644\n600"
    );
    assert_ne!(machine.attempt("systemctl is-active ghrunner").code, 0);
    assert_eq!(machine.sh("docker ps -q | wc -l").trim(), "2", "runners outlive the package");
    machine.sh("apt-get install -y ghrunner && systemctl start ghrunner");
    machine.until("it is ready", "systemctl is-active ghrunner");
    site.idle(2).await;

    site.configure("");
    machine.until("the fleet is empty", "test $(docker ps -aq | wc -l) = 0");
    machine.sh("apt-get purge -y ghrunner");
    assert_eq!(ours(machine), before);
    assert_ne!(machine.attempt("getent passwd ghrunner || getent group ghrunner").code, 0);
    assert_eq!(machine.sh("systemctl list-unit-files --no-legend 'ghrunner*' | wc -l").trim(), "0");
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
    let rpms = machine.sh("ls /srv/packages/rpm/*.rpm /srv/packages/dnf/*.rpm /srv/packages/dnf/*/*.rpm 2>/dev/null | sort -V | uniq");
    let rpms: Vec<&str> = rpms.lines().filter(|path| path.contains("x86_64")).collect();
    let [old, new] = rpms[..] else { panic!("an rpm and a newer one are wanted: {rpms:?}") };
    machine.sh(&format!("rpm --install --nodeps {old}"));
    site.give_image();
    site.give_token();
    site.configure(BUILD);
    machine.sh("systemctl enable --now ghrunner");
    site.idle(2).await;
    let job = site.busy("acme/app", 30).await;
    let before_upgrade = machine.property("MainPID");
    machine.sh(&format!("rpm --upgrade --nodeps {new}"));
    machine.until("it is ready", "systemctl is-active ghrunner");
    assert_ne!(machine.property("MainPID"), before_upgrade, "the new one runs");
    assert!(site.runs(job), "{}", machine.told());
    site.succeeds(job).await;
    site.configure("");
    machine.until("the fleet is empty", "test $(docker ps -aq | wc -l) = 0");
    machine.sh("rpm --erase --nodeps ghrunner");
    assert_ne!(machine.attempt("systemctl is-active ghrunner").code, 0);
    // As rpm has it: what the admin wrote stays, and so does the user (there is no purge).
    let left: BTreeSet<String> = ours(machine).difference(&before).cloned().collect();
    let kept =
        ["/etc/ghrunner", "/var/lib/ghrunner", "/var/log/ghrunner", "/var/lib/systemd", "/var/lib/rpm"];
    let strays: Vec<&String> = left.iter().filter(|path| !kept.iter().any(|k| path.starts_with(k))).collect();
    assert!(strays.is_empty(), "{strays:?}");
}
