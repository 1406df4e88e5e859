//! Golden plans: a folder with `pools.toml` and `world.txt`, and `plan.txt` with what follows from them.
//!
//! `UPDATE_GOLDEN=1 cargo test --test decide golden` writes the plans anew; read the difference before it is kept.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::decide::Policy;
use ghrunner::model::Action;
use ghrunner::model::Plan;
use ghrunner::model::Report;
use ghrunner::model::World;

use crate::common::build;
use crate::common::build::NOW;
use crate::common::scene;
use crate::common::settle;

#[test]
fn every_golden_plan_is_what_its_file_and_world_lead_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let wrong: Vec<String> = cases.iter().filter_map(|case| differs(case)).collect();
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 keeps what is planned now", wrong.join("\n"));
}

/// What is wrong with a case, if anything.
fn differs(case: &Path) -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap_or_default();
    let found = told(&read("pools.toml"), &read("world.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(case.join("plan.txt"), &found).unwrap();
    }
    let kept = read("plan.txt");
    (found != kept).then(|| format!("--- {}\n{kept}+++ found\n{found}", case.display()))
}

/// The first plan, the second over the world in which the first was done, and where that ends.
fn told(pools: &str, world: &str) -> String {
    let config = config(pools);
    let policy = build::policy(&config);
    let world = scene::read(&config, &policy, world);
    let plan = settle::pass(&policy, &world, NOW);
    let mut text = String::new();
    report(&mut text, &plan.report);
    text.push_str("does\n");
    actions(&mut text, &plan.actions);
    let soon = NOW + Duration::from_secs(10);
    let after = settle::apply(&policy, &world, &plan, soon);
    text.push_str("then\n");
    actions(&mut text, &settle::pass(&policy, &after, soon).actions);
    text.push_str("in the end\n");
    let last = end(&policy, &world);
    for pool in last.report.pools {
        let _ = writeln!(text, "  {}: {}", pool.pool, scene::tally(&pool.phases));
    }
    text
}

fn end(policy: &Policy, world: &World) -> Plan {
    let (world, now) = settle::settle(policy, world, NOW);
    settle::pass(policy, &world, now)
}

fn config(pools: &str) -> Config {
    let head = "[github]\ntoken = { credential = \"github-token\" }\n";
    let loaded = Config::from_text("pools.toml", &format!("{head}{pools}"));
    loaded.into_result().unwrap_or_else(|report| panic!("{report}"))
}

fn report(text: &mut String, report: &Report) {
    for pool in &report.pools {
        let _ = writeln!(
            text,
            "{}: wants {} ({}), has {}",
            pool.pool,
            pool.target,
            pool.why,
            scene::tally(&pool.phases)
        );
        for held in &pool.held {
            let _ = writeln!(text, "  held back {held}");
        }
    }
    for held in &report.held {
        let _ = writeln!(text, "held back {held}");
    }
}

fn actions(text: &mut String, actions: &[Action]) {
    for action in actions {
        let _ = writeln!(text, "  {action}");
    }
    if actions.is_empty() {
        text.push_str("  nothing\n");
    }
}
