//! Where secrets can be read, and where they cannot be found.

use githubsim::AppState;
use githubsim::InstallationState;

use crate::machine::Machine;
use crate::site::BUILD;
use crate::site::HOOK_SECRET;
use crate::site::Site;
use crate::site::TOKEN;
use crate::site::TOKEN_FILE;
use crate::site::state;

const APP_KEY: &str = include_str!("../github/app-pkcs8.pem");
const REGISTRY: &str = "canary8Rg4PasswordOfTheRegistry";

/// Another user, and the daemon's own, by the given command.
fn readable(machine: &Machine, user: &str, path: &str) -> bool {
    machine.attempt(&format!("runuser -u {user} -- cat {path}")).code == 0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn a_credential_is_the_daemons_alone() {
    let site = Site::converged().await;
    let machine = &site.machine;
    let given = "/run/credentials/ghrunner.service/github-token";
    assert!(readable(machine, "ghrunner", given));
    assert!(!readable(machine, "nobody", given));
    // The file that it was made of is root's.
    assert!(!readable(machine, "ghrunner", TOKEN_FILE) && !readable(machine, "nobody", TOKEN_FILE));
    let socket = "/run/ghrunner/ghrunner.sock";
    let asked =
        format!("curl --silent --fail --max-time 5 --unix-socket {socket} http://localhost/api/v1/status");
    assert_ne!(machine.attempt(&format!("runuser -u nobody -- {asked}")).code, 0);
    machine.sh("useradd --groups ghrunner --create-home oscar");
    machine.sh(&format!("runuser -u oscar -- {asked}"));
    machine.sh("runuser -u oscar -- ghrunner status");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn an_encrypted_credential_serves_as_well() {
    let site = Site::new().await;
    let machine = &site.machine;
    site.install();
    site.give_image();
    site.configure(BUILD);
    machine.write("/root/token", "0600", TOKEN);
    let encrypt =
        "systemd-creds encrypt --name=github-token /root/token /etc/ghrunner/credentials/github-token.cred";
    machine.sh(&format!("mkdir -p /etc/systemd/system/ghrunner.service.d && {encrypt} && rm /root/token"));
    machine.sh("cp /usr/share/doc/ghrunner/examples/encrypted-credentials.conf /etc/systemd/system/ghrunner.service.d/");
    machine.sh("systemctl daemon-reload && systemctl enable --now ghrunner");
    site.idle(2).await;
    assert!(!readable(machine, "nobody", "/run/credentials/ghrunner.service/github-token"));
    assert_eq!(machine.attempt(&format!("grep -rlF {TOKEN} /etc /var/lib /var/log /root")).said, "");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages of scripts/release.sh"]
async fn secrets_are_found_nowhere_but_where_they_must_be() {
    let site = Site::with(|machine| with_app(&machine.address())).await;
    let machine = &site.machine;
    site.install();
    site.give_image();
    site.give_token();
    let login = base64(&format!("ci:{REGISTRY}"));
    machine.write("/etc/ghrunner/credentials/github-app-key", "0600", APP_KEY);
    machine.write("/etc/ghrunner/credentials/webhook-secret", "0600", HOOK_SECRET);
    let logins = format!("{{\"auths\":{{\"registry.example\":{{\"auth\":\"{login}\"}}}}}}");
    machine.write("/etc/ghrunner/credentials/registry-auth", "0600", &logins);
    let url = site.sim.base_url();
    site.configure(&format!(
        "[engine]\nregistry_auth = {{ credential = \"registry-auth\" }}\n\n[http]\nlisten = \"127.0.0.1:8080\"\n\n\
         [webhook]\nsecret = {{ credential = \"webhook-secret\" }}\n\n\
         [credentials.app]\nurl = \"{url}\"\napp = {{ id = \"Iv23app\", private_key = {{ credential = \"github-app-key\" }} }}\n\n\
         {BUILD}\n[pools.app]\norg = \"acme\"\ncredentials = \"app\"\nlabels = [\"app\"]\n\n\
         [pools.pulled]\norg = \"acme\"\nlabels = [\"pulled\"]\nimage = \"registry.example/runner:1\"\npull = \"always\"\n"
    ));
    machine.sh("systemctl enable --now ghrunner");
    site.idle(3).await;
    let job = site.busy("acme/app", 3).await;
    site.succeeds(job).await;
    site.idle(3).await;
    machine.sh("ghrunner status; ghrunner plan; ghrunner doctor; ghrunner jobs; ghrunner check; ghrunner org-status; true");

    // A line from the middle of the key, as a file or a process would hold it.
    let key = APP_KEY.lines().nth(5).unwrap();
    let secrets = [TOKEN, HOOK_SECRET, REGISTRY, login.as_str(), key];
    let patterns = secrets.join("\n");
    machine.write("/tmp/canaries", "0600", &patterns);
    machine.sh("journalctl --sync");
    let asks = [
        ("the journal", "journalctl --no-pager -a -o export"),
        ("containers", "docker ps -aq | xargs -r docker inspect"),
        (
            "networks and volumes",
            "docker network inspect $(docker network ls -q); docker volume inspect $(docker volume ls -q) 2>/dev/null; true",
        ),
        (
            "answers",
            "for path in status jobs plan; do curl -s --unix-socket /run/ghrunner/ghrunner.sock http://localhost/api/v1/$path; done",
        ),
        (
            "command lines and environments",
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'",
        ),
        ("units", "systemctl show ghrunner; systemctl cat ghrunner"),
    ];
    for (place, ask) in asks {
        let asked = machine.sh(&format!("{{ {ask}; }} > /tmp/asked; wc -c < /tmp/asked"));
        assert!(asked.trim().parse::<u64>().unwrap() > 0, "{place}: nothing was asked");
        let found = machine.attempt("grep -aoFf /tmp/canaries /tmp/asked | head -3");
        assert_eq!(found.said, "", "{place}");
    }
    // A daemon that dies of a signal leaves no image of its memory.
    machine.sh("ulimit -c unlimited; sysctl -q kernel.core_pattern=/var/tmp/core.%p 2>/dev/null; systemctl kill --kill-whom=main --signal=ABRT ghrunner; sleep 1; rm -f /tmp/asked");
    machine.until("it is back", "systemctl is-active ghrunner").await;
    let kept = "/etc/ghrunner/credentials/\\|/run/credentials/ghrunner.service/\\|^/tmp/canaries$";
    let found = machine.attempt(&format!(
        "grep -srlaFf /tmp/canaries / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev | grep -v '{kept}'"
    ));
    assert_eq!(found.said, "", "files that hold a secret");
    // Those that must be there are found by the same search.
    let found = machine.sh("grep -srlaFf /tmp/canaries /etc /run | sort || true");
    for path in [
        TOKEN_FILE,
        "/etc/ghrunner/credentials/github-app-key",
        "/run/credentials/ghrunner.service/webhook-secret",
    ] {
        assert!(found.contains(path), "{found}");
    }
}

/// The usual world with an App, and a hook that the daemon hears.
fn with_app(address: &str) -> githubsim::State {
    let granted = [("organization_self_hosted_runners", "write"), ("metadata", "read")];
    let mut state =
        state().hook("acme", &format!("http://{address}:8080/webhook"), HOOK_SECRET, &["workflow_job"]);
    state.apps.push(AppState {
        id: 77,
        client_id: "Iv23app".into(),
        slug: "runners".into(),
        owner: "acme".into(),
        key_pem: Some(APP_KEY.into()),
        installations: vec![InstallationState {
            id: 7,
            account: "acme".into(),
            permissions: granted.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..InstallationState::default()
        }],
        ..AppState::default()
    });
    state
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
