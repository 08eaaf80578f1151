//! Two processes, two workspaces, two names for one pipeline or one server, a lost workspace: still each document once.

use super::{TRADES, deliver_to, whole_month};
use crate::support::books::Target;
use crate::support::database::Database;
use crate::support::project::{MONTH, Project, month};
use serde_json::Value;
use std::time::Duration;

fn state(report: &Value, name: &str) -> u64 {
    report["balance"]["states"][name].as_u64().unwrap_or(0)
}

/// Delivered by this run, or found there.
fn there(report: &Value) -> u64 {
    state(report, "accepted") + state(report, "present")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_workspace_is_refused() {
    let mut project = Project::new(month(2_000)).await;
    project.pipeline("jackyun_trades_to_file", "trades", &[]);
    project.set("DUKOU_FILE_PATH", project.path("out.jsonl").display().to_string());
    let command = [&["run", "trades"], &MONTH[..]].concat();
    let mut first = project.start("data", &command);
    while project.sandbox.calls() == 0 {
        assert!(first.is_running(), "the first one works");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for words in [&command[..], &["stage", "trades"], &["deliver", "trades"]] {
        let second = project.run("data", words).await.expect(4);
        assert!(second.err.contains("another dukou process is working in this workspace"), "{}", second.err);
        assert!(second.err.contains("--data"), "{}", second.err);
    }
    assert!(first.is_running(), "they were refused while the first one worked");
    first.wait().await.expect(1);
    // It is free again.
    project.run("data", &command).await.expect(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workspaces_deliver_to_one_database_at_the_same_time() {
    let Some(database) = Database::make("two workspaces, one database").await else { return };
    let mut project = Project::new(month(6_000)).await;
    deliver_to(&mut project, &database);
    let truth = project.sandbox.truth();
    let stage = [&["stage", TRADES], &MONTH[..]].concat();
    project.run("a", &stage).await.expect(0);
    project.run("b", &stage).await.expect(0);
    let deliver = ["--json", "deliver", TRADES];
    let (a, b) = (project.start("a", &deliver), project.start("b", &deliver));
    let reports = [a.wait().await.expect(1).json(), b.wait().await.expect(1).json()];
    let accepted: u64 = reports.iter().map(|r| state(r, "accepted")).sum();
    assert_eq!(accepted, truth.accepted, "each document was accepted for one of them: {reports:?}");
    for report in &reports {
        assert_eq!(there(report), truth.accepted, "{report}");
        assert_eq!(state(report, "rejected"), truth.rejected, "{report}");
        assert_eq!(report["balance"]["breaches"].as_array().map(Vec::len), Some(0), "{report}");
    }
    let target = Target::of_mysql(&database).await;
    target.check(&truth);
    target.check_ledger(&project.path("a"), &truth);
    target.check_ledger(&project.path("b"), &truth);
    database.remove().await;
}

/// One of two rivals dies in the middle, over and over; the other one does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_rival_that_is_killed_again_and_again_doubles_nothing() {
    let Some(database) = Database::make("a rival that is killed").await else { return };
    let mut project = Project::new(month(4_000)).await;
    deliver_to(&mut project, &database);
    let truth = project.sandbox.truth();
    let stage = [&["stage", TRADES], &MONTH[..]].concat();
    project.run("a", &stage).await.expect(0);
    project.run("b", &stage).await.expect(0);
    let deliver = ["--json", "deliver", TRADES];
    let steady = project.start("a", &deliver);
    for _ in 0..8 {
        let rival = project.start("b", &deliver);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(60..300))).await;
        rival.kill();
    }
    let steady = steady.wait().await.expect(1).json();
    let rival = project.run("b", &deliver).await.expect(1).json();
    for report in [&steady, &rival] {
        assert_eq!(report["balance"]["breaches"].as_array().map(Vec::len), Some(0), "{report}");
        assert_eq!(report["complete"], true, "{report}");
    }
    let target = Target::of_mysql(&database).await;
    target.check(&truth);
    target.check_ledger(&project.path("a"), &truth);
    target.check_ledger(&project.path("b"), &truth);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_and_an_emptied_workspace_double_nothing() {
    let Some(database) = Database::make("another name, an emptied workspace").await else { return };
    let mut project = Project::new(month(2_000)).await;
    deliver_to(&mut project, &database);
    let truth = project.sandbox.truth();
    project.run("data", &whole_month()).await.expect(1);
    let before = Target::of_mysql(&database).await;
    let documents = before.check(&truth);

    // A copy of the pipeline under another name: the ledger goes by the target.
    project.pipeline(TRADES, "renamed", &[("INTO lehua.", &format!("INTO {}.", database.name))]);
    let renamed = [&["--json", "run", "renamed"], &MONTH[..]].concat();
    let report = project.run("data", &renamed).await.expect(1).json();
    assert_eq!(state(&report, "unchanged"), truth.accepted, "{report}");

    // Another name for the same server: the ledger here knows nothing of it, the one in the database does.
    project.set("DUKOU_MYSQL_URL", database.url().replace("127.0.0.1", "localhost"));
    let report = project.run("data", &renamed).await.expect(1).json();
    assert_eq!((state(&report, "accepted"), state(&report, "present")), (0, truth.accepted), "{report}");

    // The workspace is lost, all of it or half of it.
    project.set("DUKOU_MYSQL_URL", database.url());
    for lost in
        [&["state.db", "state.db-wal", "state.db-shm", "staging"][..], &["state.db", "state.db-wal", "state.db-shm"]]
    {
        for name in lost {
            let path = project.path("data").join(name);
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            assert!(removed.is_ok() || !path.exists(), "{}", path.display());
        }
        let report = project.run("data", &whole_month()).await.expect(1).json();
        assert_eq!(state(&report, "present"), truth.accepted, "{report}");
        assert_eq!(state(&report, "rejected"), truth.rejected, "{report}");
        let target = Target::of_mysql(&database).await;
        target.check_ledger(&project.path("data"), &truth);
        assert!(target.check(&truth) == documents, "what was there is as it was");
    }
    database.remove().await;
}

/// A canary in one workspace, the rest in another: the second one knows only what the target tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_here_and_the_rest_there() {
    let Some(database) = Database::make("a canary").await else { return };
    let mut project = Project::new(month(2_000)).await;
    deliver_to(&mut project, &database);
    let truth = project.sandbox.truth();
    for data in ["a", "b"] {
        project.run(data, &[&["stage", TRADES], &MONTH[..]].concat()).await.expect(0);
    }
    // Ten from each, the same ten; then the rest from each, b with a ledger that is not empty any more.
    for data in ["a", "b"] {
        let report = project.run(data, &["--json", "deliver", TRADES, "--limit", "10"]).await.expect(0).json();
        assert_eq!(report["complete"], false, "{report}");
        assert_eq!(database.delivered().await, there(&report), "{report}");
    }
    for data in ["a", "b"] {
        let report = project.run(data, &["--json", "deliver", TRADES]).await.expect(1).json();
        assert_eq!(report["balance"]["breaches"].as_array().map(Vec::len), Some(0), "{report}");
    }
    let target = Target::of_mysql(&database).await;
    target.check(&truth);
    target.check_ledger(&project.path("a"), &truth);
    target.check_ledger(&project.path("b"), &truth);
    database.remove().await;
}
