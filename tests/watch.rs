//! A saved file is told once, however it was saved.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::control::Loaded;
use ghrunner::control::Loader;
use ghrunner::control::WatchedFiles;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a reload may take on a busy machine before a test gives it up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a test waits for a reload that must not come.
const SILENCE: Duration = Duration::from_millis(400);

/// The watcher with a reader behind it, as the control loop reads.
struct Desk {
    dir: tempfile::TempDir,
    file: PathBuf,
    /// What each reload found: the pool's `max`, or the error.
    reloads: mpsc::UnboundedReceiver<Result<String, String>>,
    stop: CancellationToken,
}

impl Desk {
    /// With `etc/pools.toml` as `lay` leaves it.
    async fn laid(lay: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        lay(dir.path());
        let file = dir.path().join("etc/pools.toml");
        let path = file.clone();
        let load: Loader = Arc::new(move || match Config::load(&path).into_result() {
            Ok(config) => Ok(Loaded { config, warnings: Vec::new() }),
            Err(report) => Err(report.to_string()),
        });
        let (changed, mut woken) = mpsc::channel(1);
        let (told, reloads) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        tokio::spawn(WatchedFiles::begin(&file).tell(Arc::clone(&load), changed, stop.clone()));
        tokio::spawn(async move {
            while woken.recv().await.is_some() {
                let found = load().map(|loaded| summary(&loaded.config));
                let _ = told.send(found);
            }
        });
        Self { dir, file, reloads, stop }
    }

    async fn new() -> Self {
        Self::laid(|dir| fs::write(dir.join("etc/pools.toml"), good(1)).unwrap()).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn next(&mut self) -> Result<String, String> {
        timeout(PATIENCE, self.reloads.recv()).await.expect("a save was not told").unwrap()
    }

    /// One reload came, it found this, and no other follows.
    async fn once(&mut self, wanted: &str) {
        assert_eq!(self.next().await.as_deref(), Ok(wanted));
        self.silent().await;
    }

    /// Reloads come until one finds this; none finds an error. Gives how many.
    async fn until(&mut self, wanted: &str) -> usize {
        let mut count = 0;
        loop {
            count += 1;
            if self.next().await.unwrap() == wanted {
                return count;
            }
        }
    }

    async fn silent(&mut self) {
        if let Ok(Some(extra)) = timeout(SILENCE, self.reloads.recv()).await {
            panic!("told once too often: {extra:?}");
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn good(max: u32) -> String {
    format!(
        "[github]\ntoken = {{ env = \"T\" }}\n[host]\nmax_runners = 1000\n[pools.build]\norg = \"acme\"\nlabels = [\"x\"]\nmax = {max}\n"
    )
}

fn drop_in(name: &str, max: u32) -> String {
    format!("[pools.{name}]\norg = \"acme\"\nlabels = [\"{name}\"]\nmax = {max}\n")
}

/// Each pool with its `max`.
fn summary(config: &Config) -> String {
    config.pools.values().map(|pool| format!("{}={}", pool.name, pool.max)).collect::<Vec<_>>().join(" ")
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn a_file_written_in_place_in_several_steps_is_read_once_it_is_whole() {
    let mut desk = Desk::new().await;
    let mut file = File::create(&desk.file).unwrap();
    // Each part is a good file, or none: neither is what was meant. The writer is slower than the watcher's patience.
    let text = good(2) + &drop_in("web", 3);
    for part in text.as_bytes().chunks(text.len() / 4) {
        file.write_all(part).unwrap();
        file.flush().unwrap();
        sleep(Duration::from_millis(90)).await;
    }
    drop(file);
    desk.once("build=2 web=3").await;
}

#[tokio::test]
async fn a_file_that_is_emptied_first_is_no_error_if_it_is_filled_soon() {
    let mut desk = Desk::new().await;
    let began = Instant::now();
    fs::write(&desk.file, "").unwrap();
    sleep(Duration::from_millis(80)).await;
    fs::write(&desk.file, &good(2)[..40]).unwrap();
    sleep(Duration::from_millis(80)).await;
    fs::write(&desk.file, good(2)).unwrap();
    if began.elapsed() < Duration::from_millis(300) {
        desk.once("build=2").await;
    }
}

#[tokio::test]
async fn a_bad_file_is_told_all_the_same() {
    let mut desk = Desk::new().await;
    fs::write(&desk.file, "[pools").unwrap();
    assert!(desk.next().await.is_err());
    desk.silent().await;
    fs::write(&desk.file, good(2)).unwrap();
    desk.once("build=2").await;
}

#[tokio::test]
async fn a_file_renamed_over_the_old_one_is_told_once() {
    let mut desk = Desk::new().await;
    for max in 2..5 {
        replace(&desk.file, &good(max));
        desk.once(&format!("build={max}")).await;
    }
}

#[tokio::test]
async fn an_editor_that_moves_the_old_file_away_is_no_error() {
    let mut desk = Desk::new().await;
    fs::rename(&desk.file, desk.path("etc/pools.toml~")).unwrap();
    let mut file = File::create(&desk.file).unwrap();
    file.write_all(good(2).as_bytes()).unwrap();
    drop(file);
    fs::remove_file(desk.path("etc/pools.toml~")).unwrap();
    desk.once("build=2").await;
}

#[tokio::test]
async fn a_swapped_symlink_is_told_once() {
    let mut desk = Desk::laid(|dir| {
        for max in 1..4 {
            fs::write(dir.join(format!("etc/v{max}")), good(max)).unwrap();
        }
        symlink("v1", dir.join("etc/pools.toml")).unwrap();
    })
    .await;
    symlink("v2", desk.path("etc/tmp")).unwrap();
    fs::rename(desk.path("etc/tmp"), &desk.file).unwrap();
    desk.once("build=2").await;
    // As `ln -sfn` does where it cannot rename.
    fs::remove_file(&desk.file).unwrap();
    symlink("v3", &desk.file).unwrap();
    desk.once("build=3").await;
    // The target itself, in place.
    fs::write(desk.path("etc/v3"), good(9)).unwrap();
    desk.once("build=9").await;
}

#[tokio::test]
async fn a_symlink_far_up_the_path_is_told_once() {
    let mut desk = Desk::laid(|dir| {
        for version in ["..1", "..2", "..3"] {
            let folder = dir.join("etc").join(version);
            fs::create_dir_all(folder.join("pools.d")).unwrap();
            fs::write(folder.join("pools.toml"), good(version[2..].parse().unwrap())).unwrap();
            fs::write(folder.join("pools.d/web.toml"), drop_in("web", 7)).unwrap();
        }
        symlink("..1", dir.join("etc/..data")).unwrap();
        symlink("..data/pools.toml", dir.join("etc/pools.toml")).unwrap();
        symlink("..data/pools.d", dir.join("etc/pools.d")).unwrap();
    })
    .await;
    for version in [2, 3, 1, 2] {
        symlink(format!("..{version}"), desk.path("etc/..tmp")).unwrap();
        fs::rename(desk.path("etc/..tmp"), desk.path("etc/..data")).unwrap();
        desk.once(&format!("build={version} web=7")).await;
    }
    fs::write(desk.path("etc/..2/pools.d/web.toml"), drop_in("web", 8)).unwrap();
    desk.once("build=2 web=8").await;
}

#[tokio::test]
async fn a_replaced_folder_is_told_once_and_still_watched() {
    let mut desk = Desk::new().await;
    for max in [2, 4] {
        fs::create_dir(desk.path("next")).unwrap();
        fs::write(desk.path("next/pools.toml"), good(max)).unwrap();
        fs::rename(desk.path("etc"), desk.path(&format!("old{max}"))).unwrap();
        fs::rename(desk.path("next"), desk.path("etc")).unwrap();
        desk.once(&format!("build={max}")).await;
        fs::write(&desk.file, good(max + 1)).unwrap();
        desk.once(&format!("build={}", max + 1)).await;
    }
    fs::remove_dir_all(desk.path("etc")).unwrap();
    assert!(desk.next().await.unwrap_err().contains("there is no such file"));
    fs::create_dir(desk.path("etc")).unwrap();
    fs::write(&desk.file, good(8)).unwrap();
    desk.once("build=8").await;
}

#[tokio::test]
async fn drop_ins_are_told_as_they_come_change_and_go_with_their_folder() {
    let mut desk = Desk::new().await;
    fs::create_dir(desk.path("etc/pools.d")).unwrap();
    desk.silent().await;
    fs::write(desk.path("etc/pools.d/web.toml"), drop_in("web", 2)).unwrap();
    desk.once("build=1 web=2").await;
    replace(&desk.path("etc/pools.d/web.toml"), &drop_in("web", 3));
    desk.once("build=1 web=3").await;
    fs::write(desk.path("etc/pools.d/.web.toml.swp"), "half").unwrap();
    fs::write(desk.path("etc/pools.d/.hidden.toml"), "half").unwrap();
    fs::write(desk.path("etc/pools.d/README"), "half").unwrap();
    desk.silent().await;
    fs::remove_file(desk.path("etc/pools.d/web.toml")).unwrap();
    desk.once("build=1").await;
    fs::remove_dir_all(desk.path("etc/pools.d")).unwrap();
    desk.silent().await;
    fs::create_dir(desk.path("new.d")).unwrap();
    fs::write(desk.path("new.d/a.toml"), drop_in("a", 1)).unwrap();
    fs::write(desk.path("new.d/b.toml"), drop_in("b", 2)).unwrap();
    fs::rename(desk.path("new.d"), desk.path("etc/pools.d")).unwrap();
    desk.once("a=1 b=2 build=1").await;
    fs::rename(desk.path("etc/pools.d"), desk.path("away.d")).unwrap();
    desk.once("build=1").await;
}

#[tokio::test]
async fn a_drop_in_that_is_a_symlink_is_followed() {
    let mut desk = Desk::new().await;
    fs::create_dir(desk.path("etc/pools.d")).unwrap();
    fs::create_dir(desk.path("elsewhere")).unwrap();
    fs::write(desk.path("elsewhere/web.toml"), drop_in("web", 2)).unwrap();
    symlink("../../elsewhere/web.toml", desk.path("etc/pools.d/web.toml")).unwrap();
    desk.once("build=1 web=2").await;
    fs::write(desk.path("elsewhere/web.toml"), drop_in("web", 3)).unwrap();
    desk.once("build=1 web=3").await;
}

#[tokio::test]
async fn a_file_taken_away_and_put_back_ends_where_it_began() {
    let mut desk = Desk::new().await;
    fs::rename(&desk.file, desk.path("etc/aside")).unwrap();
    assert!(desk.next().await.unwrap_err().contains("there is no such file"));
    fs::rename(desk.path("etc/aside"), &desk.file).unwrap();
    desk.once("build=1").await;
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let mut desk = Desk::new().await;
    let file = File::options().append(true).open(&desk.file).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH)).unwrap();
    desk.silent().await;
    replace(&desk.file, &good(1));
    fs::write(desk.path("etc/other.toml"), "x").unwrap();
    fs::write(desk.path("unrelated"), "x").unwrap();
    desk.silent().await;
}

#[tokio::test]
async fn a_file_that_may_be_read_at_last_is_told() {
    if nix::unistd::Uid::effective().is_root() {
        // Root may read everything.
        return;
    }
    let mut desk = Desk::new().await;
    fs::set_permissions(&desk.file, fs::Permissions::from_mode(0o000)).unwrap();
    assert!(desk.next().await.is_err());
    fs::set_permissions(&desk.file, fs::Permissions::from_mode(0o644)).unwrap();
    desk.once("build=1").await;
}

#[tokio::test]
async fn twenty_quick_saves_end_in_the_last_one() {
    let mut desk = Desk::new().await;
    for max in 2..22 {
        replace(&desk.file, &good(max));
    }
    desk.once("build=21").await;
    for max in 30..50 {
        fs::write(&desk.file, good(max)).unwrap();
    }
    desk.until("build=49").await;
    desk.silent().await;
}

#[tokio::test]
async fn a_noisy_neighbour_delays_nothing() {
    let mut desk = Desk::new().await;
    let (etc, stop) = (desk.path("etc"), CancellationToken::new());
    let noise = tokio::spawn({
        let stop = stop.clone();
        async move {
            while !stop.is_cancelled() {
                fs::write(etc.join("log"), "x").unwrap();
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    replace(&desk.file, &good(2));
    desk.once("build=2").await;
    stop.cancel();
    noise.await.unwrap();
}

/// By an own generator, so that a run can be repeated.
#[tokio::test]
async fn two_hundred_saves_in_any_manner_lose_none() {
    let mut desk = Desk::laid(|dir| {
        fs::write(dir.join("etc/v"), good(1)).unwrap();
        symlink("v", dir.join("etc/pools.toml")).unwrap();
    })
    .await;
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut any = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for round in 2..202 {
        match any(4) {
            0 => replace(&desk.file, &good(round)),
            1 => fs::write(&desk.file, good(round)).unwrap(),
            2 => {
                let mut file = File::create(&desk.file).unwrap();
                for part in good(round).as_bytes().chunks(20) {
                    file.write_all(part).unwrap();
                    sleep(Duration::from_millis(any(3))).await;
                }
            }
            _ => {
                let target = desk.path(&format!("etc/v{round}"));
                fs::write(&target, good(round)).unwrap();
                symlink(&target, desk.path("etc/tmp")).unwrap();
                fs::rename(desk.path("etc/tmp"), &desk.file).unwrap();
            }
        }
        sleep(Duration::from_millis(any(20) * any(10))).await;
        if any(8) == 0 {
            desk.until(&format!("build={round}")).await;
        }
    }
    // The last save may have been waited for already.
    replace(&desk.file, &good(999));
    desk.until("build=999").await;
    desk.silent().await;
}
