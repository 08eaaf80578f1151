//! What a person reads: exit code, stdout and stderr of every command, each screen as one snapshot.

use crate::support_project::{DAYS, Project, filters, sandbox};
use serde_json::Value;

const NAME: &str = "jackyun_trades_to_sqlite";

/// Snapshots with times, ports and sizes taken out.
fn shown(name: &str, text: &str) {
    insta::with_settings!({ filters => filters() }, { insta::assert_snapshot!(name, text) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_look_to_the_last_document() {
    let sandbox = sandbox(40, false).await;
    let mut project = Project::new();
    project.use_sandbox(&sandbox);
    let target = project.use_target("lehua.db");
    shown("preview_before_staging", &project.dukou(&["preview", NAME]).whole());
    let mut stage = vec!["stage", NAME];
    stage.extend(DAYS);
    shown("stage", &project.dukou(&stage).whole());
    shown("preview_ten", &project.dukou(&["preview", NAME]).expect(0).whole());
    let json = project.dukou(&["preview", NAME, "--json"]).expect(0);
    let first = json.stdout.lines().next().expect("a document");
    shown("preview_json_first", first);
    let keys: Vec<String> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["key"].as_str().expect("a key").to_owned())
        .collect();
    assert_eq!(keys.len(), 10);
    shown("preview_key", &project.dukou(&["preview", NAME, "--key", &keys[7]]).expect(0).whole());
    shown("preview_no_such_key", &project.dukou(&["preview", NAME, "--key", "XT1"]).whole());
    shown("deliver_dry_run", &project.dukou(&["deliver", NAME, "--dry-run"]).whole());
    let rows = || crate::support_project::number(&target, "SELECT count(*) FROM sale_return");
    assert_eq!(rows(), 0, "a dry run sends nothing");
    shown("deliver_limit_5", &project.dukou(&["deliver", NAME, "--limit", "5"]).whole());
    assert_eq!(rows(), 5);
    shown("deliver_key", &project.dukou(&["deliver", NAME, "--key", &keys[7]]).whole());
    assert_eq!(rows(), 6);
    shown("deliver_rest", &project.dukou(&["deliver", NAME]).whole());
    assert_eq!(rows(), 40);
    shown("deliver_again", &project.dukou(&["deliver", NAME]).whole());
    let mut run = vec!["run", NAME];
    run.extend(DAYS);
    shown("run_again", &project.dukou(&run).whole());
    assert_eq!(rows(), 40, "nothing twice");
    sandbox.stop().await.expect("stopped");
}

#[test]
fn before_anything_runs() {
    let mut project = Project::new();
    let mut all = String::new();
    let mut show = |project: &Project, line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        all += &format!("$ dukou {line}\n{}\n\n", project.dukou(&words).whole());
    };
    show(&project, "check");
    show(&project, "check jackyun_trade_to_sqlite");
    show(&project, "run jackyun_trades_to_oracle");
    show(&project, "stage jackyun_trades_to_sqlite --from 2024-06-01 --to 2024-06-02");
    project.set("JACKYUN_URL", "https://open.jackyun.com/open/openapi/do");
    project.set("JACKYUN_APP_KEY", "");
    show(&project, "stage jackyun_trades_to_sqlite --from 2024-06-01 --to 2024-06-02");
    show(&project, "deliver jackyun_trades_to_sqlite");
    show(&project, "stage jackyun_trades_to_sqlite --from 5.6.2024");
    show(&project, "stage jackyun_trades_to_sqlite --from 2024-06-02 --to 2024-06-01");
    show(&project, "stage jackyun_trades_to_sqlite --to 2024-06-01");
    show(&project, "deliver jackyun_trades_to_sqlite --from 2024-06-01");
    show(&project, "deliver jackyun_trades_to_sqlite --limit 5 --key A");
    show(&project, "ship jackyun_trades_to_sqlite");
    show(&project, "check --root /nowhere");
    shown("before_anything_runs", &all);
}

#[test]
fn the_demo_ends_with_what_to_type_next() {
    let project = Project::new();
    let first = project.dukou(&["demo", "--trades", "500", "--returns", "300"]);
    shown("demo", &first.whole());
    let again = project.dukou(&["demo", "--trades", "500", "--returns", "300"]).expect(0);
    assert_eq!(again.count("accepted"), 0, "nothing twice: {}", again.stdout);
}
