//! A source that misbehaves, a server that dies, a person who presses Ctrl-C: late, but whole and once.

use super::{TRADES, deliver_to, whole_month};
use crate::support::books::Target;
use crate::support::database::{Database, Server};
use crate::support::project::{Project, month};
use dukou::sandbox::{Config, Fault};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_source_delays_and_loses_nothing() {
    let Some(database) = Database::make("faults of the source").await else { return };
    let mut project = Project::new(Config { modify_while_paging: true, ..month(3_000) }).await;
    deliver_to(&mut project, &database);
    let faults: Vec<Fault> = [
        "throttle@3+4",
        "http-502@7",
        "cut-off@10",
        "reset@13",
        "repeated-page@16+24+31",
        "slow=700@19",
        "truncated@21",
        "empty-body@26",
        "http-429@29",
        "proxy-html@33",
        "invalid-utf8@36",
        "repeated-page@every:11x2",
    ]
    .iter()
    .map(|text| text.parse().expect("a fault"))
    .collect();
    project.sandbox.set_faults(faults);
    let truth = project.sandbox.truth();
    // A person reads the error and gives the same command again, a few times at most.
    let mut tries = 0;
    let report = loop {
        tries += 1;
        let ended = project.run("data", &whole_month()).await;
        match ended.code {
            Some(1) => break ended.json(),
            _ => assert!(tries < 6, "{ended:?}"),
        }
    };
    assert_eq!(report["complete"], true, "{report}");
    let target = Target::of_mysql(&database).await;
    target.check(&truth);
    let causes = report["causes"].as_array().expect("causes");
    assert!(causes.iter().all(|cause| cause["state"] != "changed"), "{report}");
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_loses_and_doubles_nothing() {
    let Some(mut server) = Server::start("the death of a MariaDB server") else { return };
    let mut project = Project::new(month(6_000)).await;
    let truth = project.sandbox.truth();
    let database = Database::on(&server.url).await;
    let name = database.name.clone();
    deliver_to(&mut project, &database);
    let mut running = project.start("data", &whole_month());
    while database.delivered().await < truth.accepted / 4 {
        assert!(running.is_running(), "the server dies before the run ends");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(database);
    // Away for a moment only: the run bridges it, or it ends, and the same command goes on.
    server.crash(Duration::from_millis(300)).await;
    let first = running.wait().await;
    assert!(matches!(first.code, Some(1 | 3)), "{first:?}");
    let again = whole_month();
    let mut tries = 0;
    let report = loop {
        tries += 1;
        let ended = project.run("data", &again).await;
        match ended.code {
            Some(1) => break ended.json(),
            _ => assert!(tries < 20, "{ended:?}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(report["complete"], true, "{report}");
    let target = Target::of_mysql(&Database::open(&server.url, &name).await).await;
    target.check(&truth);
    target.check_ledger(&project.path("data"), &truth);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_finishes_what_is_in_flight_and_the_same_command_goes_on() {
    let Some(database) = Database::make("Ctrl-C").await else { return };
    let mut project = Project::new(month(12_000)).await;
    deliver_to(&mut project, &database);
    let truth = project.sandbox.truth();
    let command: Vec<&str> = whole_month().into_iter().filter(|word| *word != "--json").collect();

    // While it fetches.
    let running = project.start("data", &command);
    while project.sandbox.calls() < 20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.interrupt();
    let ended = running.wait().await.expect(1);
    assert!(ended.err.contains("stopping: finishing what is in flight"), "{}", ended.err);
    assert!(ended.err.contains("the same command goes on"), "{}", ended.err);
    assert_eq!(database.delivered().await, 0);

    // While it delivers.
    let mut running = project.start("data", &command);
    while database.delivered().await < truth.accepted / 5 {
        assert!(running.is_running(), "it is still delivering");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.interrupt();
    let ended = running.wait().await.expect(1);
    assert!(ended.out.contains("ended early") && ended.out.contains("the books balance"), "{}", ended.out);
    assert!(ended.err.contains("the same command goes on"), "{}", ended.err);
    assert!(ended.err.contains("to go on: dukou"), "{}", ended.err);
    let so_far = database.delivered().await;
    assert!(so_far < truth.accepted, "it has stopped before the end");

    let report = project.run("data", &whole_month()).await.expect(1).json();
    assert_eq!(report["complete"], true, "{report}");
    let target = Target::of_mysql(&database).await;
    target.check(&truth);
    target.check_ledger(&project.path("data"), &truth);
    let all = project.run("data", &["--json", "deliver", TRADES]).await.expect(1).json();
    assert_eq!(all["balance"]["documents"], 0, "{all}");
    database.remove().await;
}
