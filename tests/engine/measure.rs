//! What the engine costs, for decisions; not run by default: `cargo test --test engine -- --ignored measure --nocapture`.

use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters as query;
use futures_util::StreamExt;
use futures_util::stream;
use ghrunner::engine::Engine;
use tokio::time::Instant;

use crate::lab::Lab;

/// How many containers each figure is taken from.
const RUNS: u32 = 40;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and wants a quiet host"]
async fn measure_create_and_start_by_concurrency() {
    for concurrency in [4, 8, 10, 16] {
        let lab = Arc::new(Lab::new("bench").await);
        lab.engine.create(&lab.runner(9999, "idle")).await.unwrap();
        let began = Instant::now();
        let mut took: Vec<(Duration, Duration)> = stream::iter(0..RUNS)
            .map(|slot| {
                let lab = lab.clone();
                async move {
                    let new = lab.runner(slot, "idle");
                    let began = Instant::now();
                    let id = lab.engine.create(&new).await.unwrap();
                    let created = began.elapsed();
                    lab.engine.start(&new, &id).await.unwrap();
                    (created, began.elapsed() - created)
                }
            })
            .buffer_unordered(concurrency)
            .collect()
            .await;
        let all = began.elapsed();
        let per_minute = f64::from(RUNS) * 60.0 / all.as_secs_f64();
        let (create, start) = (median(&mut took, |t| t.0), median(&mut took, |t| t.1));
        println!("concurrency {concurrency}: {per_minute:.0}/min; median create {create:?}, start {start:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a quiet host"]
async fn measure_an_upload_beside_create_and_start() {
    let lab = Lab::new("upload").await;
    let file = tar_of_4_kib();
    let mut took = Vec::new();
    for slot in 0..RUNS {
        let new = lab.runner(slot, "exit 0");
        let began = Instant::now();
        let id = lab.engine.create(&new).await.unwrap();
        let created = began.elapsed();
        let options = query::UploadToContainerOptionsBuilder::new().path("/tmp").build();
        let body = bollard::body_full(file.clone().into());
        lab.docker.upload_to_container(id.as_str(), Some(options), body).await.unwrap();
        let uploaded = began.elapsed();
        lab.engine.start(&new, &id).await.unwrap();
        took.push((created, uploaded - created, began.elapsed() - uploaded));
    }
    let (create, upload) = (median(&mut took, |t| t.0), median(&mut took, |t| t.1));
    println!("median create {create:?}, upload of 4 KiB {upload:?}, start {:?}", median(&mut took, |t| t.2));
}

fn median<T>(all: &mut [T], of: impl Fn(&T) -> Duration) -> Duration {
    all.sort_by_key(&of);
    of(&all[all.len() / 2])
}

/// A tar archive with one file `jit`, made by tar(1).
fn tar_of_4_kib() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("jit"), vec![b'x'; 4096]).unwrap();
    let tar =
        std::process::Command::new("tar").arg("-C").arg(dir.path()).args(["-c", "jit"]).output().unwrap();
    tar.stdout
}
