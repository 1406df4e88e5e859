//! Webhooks by socket activation.

use std::time::Duration;

use githubsim::JobSpec;

use crate::site::HOOK_SECRET;
use crate::site::Site;
use crate::site::state;

const HOOKED: &str = "[http]\nlisten = \"systemd\"\n\n[webhook]\nsecret = { credential = \"webhook-secret\" }\n\n\
                      [pools.hooked]\norg = \"acme\"\nlabels = [\"hooked\"]\ndemand = \"webhook\"\nmax = 4\n";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_delivery_that_comes_while_the_daemon_is_down_starts_it_and_is_served() {
    let hooked = |machine: &crate::machine::Machine| {
        let url = format!("http://{}:8080/webhook", machine.address());
        state().hook("acme", &url, HOOK_SECRET, &["workflow_job"])
    };
    let site = Site::with(hooked).await;
    let machine = &site.machine;
    site.install();
    site.give_image();
    site.give_token();
    machine.write("/etc/ghrunner/credentials/webhook-secret", "0600", HOOK_SECRET);
    site.configure(HOOKED);
    machine.sh("mkdir -p /etc/systemd/system/ghrunner.socket.d");
    let everywhere = "[Socket]\nListenStream=\nListenStream=0.0.0.0:8080\n";
    machine.write("/etc/systemd/system/ghrunner.socket.d/address.conf", "0644", everywhere);
    machine.sh("systemctl daemon-reload && systemctl enable --now ghrunner.socket");
    assert_eq!(machine.attempt("systemctl is-active ghrunner").said.trim(), "inactive");

    let spec = JobSpec::new("acme/app", &["self-hosted", "hooked"]).lasting(Duration::from_secs(1));
    let job = site.sim.queue_job(&spec).unwrap()[0];
    site.succeeds(job).await;
    assert_eq!(machine.attempt("systemctl is-active ghrunner").said.trim(), "active");

    // While it restarts, too: systemd holds the connection.
    machine.sh("systemctl restart --no-block ghrunner");
    let job = site.sim.queue_job(&spec).unwrap()[0];
    site.succeeds(job).await;
}
