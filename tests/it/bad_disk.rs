//! Bad disks and damaged files: a full disk at every step, a read-only folder, a staged file that was cut, a state store of
//! another version. What was committed stays, and once the cause is gone the same command ends complete.

use super::bad_support::*;
use dukou::sandbox::Config;
use std::fs;

/// Enough trades to fill a small disk.
fn many() -> Config {
    Config { trades: 600, ..vendor() }
}

fn roomy(url: &str) -> Project {
    let project = Project::new(url);
    project.edit("page_size = 5", "page_size = 100");
    project
}

/// The disk with the workspace runs full at some point of staging: exit code 4, told what to do; then the command goes on.
#[tokio::test]
async fn a_full_disk_while_staging() {
    let vendor = start(many()).await;
    for free in [0, 40_000, 120_000, 400_000, 1_000_000] {
        let project = roomy(&vendor.url());
        let Some(disk) = Disk::new(&project.data, "3m") else { return };
        disk.leave(free);
        let ran = project.dukou("stage", &HISTORY).await;
        ran.says(4, &["free some disk space"]);
        disk.free();
        disk.resize("64m");
        project.completes(&vendor).await;
        let left = project
            .staged_files()
            .iter()
            .filter(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')))
            .count();
        assert_eq!(left, 0, "{free}: temporary files are left behind");
    }
}

/// The same while delivering: the ledger and the exchange record stand on the full disk, the target does not.
#[tokio::test]
async fn a_full_disk_while_delivering() {
    let vendor = start(many()).await;
    let mut full = 0;
    for free in [0, 8_000, 40_000, 80_000, 120_000, 200_000, 300_000] {
        let project = roomy(&vendor.url());
        project.edit("batch_docs    = 500", "batch_docs    = 50");
        let Some(disk) = Disk::new(&project.data, "12m") else { return };
        project.dukou("stage", &HISTORY).await.says(0, &[]);
        disk.leave(free);
        let ran = project.dukou("deliver", &[]).await;
        if ran.code != 0 {
            full += 1;
            ran.says(4, &["free some disk space"]);
        }
        disk.free();
        disk.resize("64m");
        project.completes(&vendor).await;
        let mut left = fs::read_dir(project.data.join("exchange")).expect("the folder").filter_map(Result::ok);
        assert!(!left.any(|f| f.path().extension().is_some_and(|e| e == "tmp")), "temporary files are left behind");
        project.completes(&vendor).await;
    }
    assert!(full > 3, "{full} runs met a full disk");
}

/// The target's own disk is full.
#[tokio::test]
async fn a_full_disk_under_the_target() {
    let vendor = start(many()).await;
    let mut project = roomy(&vendor.url());
    let place = project.dir.path().join("target");
    let Some(disk) = Disk::new(&place, "2m") else { return };
    project.target = place.join("lehua.db");
    project.set("DUKOU_SQLITE_PATH", &place.join("lehua.db").display().to_string());
    project.make_target();
    for free in [0, 60_000] {
        disk.leave(free);
        let ran = project.history().await;
        ran.says(4, &["lehua.db", "free some disk space"]);
        disk.free();
    }
    disk.resize("64m");
    project.completes(&vendor).await;
}

#[tokio::test]
async fn a_read_only_workspace() {
    let vendor = start(vendor()).await;
    let project = Project::new(&vendor.url());
    let Some(disk) = Disk::new(&project.data, "32m") else { return };
    disk.read_only(true);
    project.history().await.says(4, &["ead-only", "writable", "--data"]);
    disk.read_only(false);
    project.dukou("stage", &HISTORY).await.says(0, &[]);
    disk.read_only(true);
    project.history().await.says(4, &["ead-only", "writable", "--data"]);
    project.dukou("deliver", &[]).await.says(4, &["ead-only", "writable", "--data"]);
    disk.read_only(false);
    project.completes(&vendor).await;
}

/// Another user than the one who made the workspace.
#[tokio::test]
async fn a_workspace_of_somebody_else() {
    let vendor = start(vendor()).await;
    let mut project = Project::new(&vendor.url());
    let root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !root {
        return skipped("a test with another user (only root can become one)");
    }
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(project.dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    project.dukou("stage", &HISTORY).await.says(0, &[]);
    let mode = fs::metadata(&project.data).expect("the workspace").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "the workspace is this user's alone");
    project.unprivileged();
    project.dukou("deliver", &[]).await.says(4, &["ermission denied", "writable", "--data"]);
}

/// A staged file cut, emptied, overwritten or gone: named, with the cure; what is delivered is right or not delivered at all.
#[tokio::test]
async fn a_damaged_staged_file() {
    let vendor = start(vendor()).await;
    let project = Project::new(&vendor.url());
    project.dukou("stage", &HISTORY).await.says(0, &[]);
    let file =
        project.staged_files().into_iter().max_by_key(|f| fs::metadata(f).map_or(0, |m| m.len())).expect("a file");
    let name = file.file_name().and_then(|n| n.to_str()).expect("a name");
    let whole = fs::read(&file).expect("bytes");
    let mut overwritten = whole.clone();
    let length = overwritten.len();
    overwritten[..length - length / 8].fill(0x5a);
    let mut flipped = whole.clone();
    flipped[length / 2] ^= 1;
    for (what, bytes) in [
        ("one bit flipped", &flipped[..]),
        ("cut", &whole[..length / 2]),
        ("empty", &[]),
        ("foreign", b"hello, world"),
        ("overwritten", &overwritten),
    ] {
        fs::write(&file, bytes).expect("written");
        let ran = project.dukou("deliver", &[]).await;
        assert_eq!(ran.code, 4, "{what}: {ran:?}");
        assert!(ran.err.contains(name) && ran.err.contains("damaged"), "{what}: {}", ran.err);
        assert!(project.delivered().0 <= vendor.truth().accepted, "{what}");
    }
    fs::remove_file(&file).expect("gone");
    project.dukou("deliver", &[]).await.says(4, &[name]);
    fs::write(&file, &whole).expect("written");
    project.completes(&vendor).await;
}

#[tokio::test]
async fn a_state_store_that_is_not_ours() {
    let vendor = start(vendor()).await;
    let project = Project::new(&vendor.url());
    project.completes(&vendor).await;
    let path = project.data.join("state.db");
    let pragma = |version: u32| {
        let connection = rusqlite::Connection::open(&path).expect("the store");
        connection.pragma_update(None, "user_version", version).expect("a version");
    };
    let ours = project.state::<u32>("PRAGMA user_version");
    pragma(99);
    project.history().await.says(4, &["another version of dukou", "99", "--data"]);
    project.dukou("preview", &[]).await.says(4, &["another version of dukou", "--data"]);
    project.dukou("deliver", &["--dry-run"]).await.says(4, &["another version of dukou", "--data"]);
    pragma(ours);
    let whole = fs::read(&path).expect("bytes");
    for foreign in [&b"this is no database, and longer than a header of a hundred bytes, so that nobody takes it for an empty file at all"[..], &whole[..whole.len() / 2]] {
        fs::write(&path, foreign).expect("written");
        project.history().await.says(4, &["state.db", "backup"]);
        project.dukou("preview", &[]).await.says(4, &["state.db", "backup"]);
    }
    fs::write(&path, &whole).expect("written");
    project.completes(&vendor).await;
    // A lost workspace doubles nothing: the target is asked first.
    fs::remove_dir_all(&project.data).expect("gone");
    project.completes(&vendor).await;
}
