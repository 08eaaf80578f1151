//! `kill -9` of the real binary at every phase of a run; then the same command, and all is as if nothing had happened.

use super::{TRADES, deliver_to, whole_month};
use crate::support::books::{self, Documents, Target};
use crate::support::database::Database;
use crate::support::project::{MONTH, Project, Running, month};
use std::path::Path;
use std::time::Duration;

/// The phase in which the process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Fetching: so many calls since the process was started.
    Calls(u64),
    /// Intents are committed; their documents may be anywhere.
    Intended,
    /// A transaction in the target has written rows and is still open.
    Writing,
    /// This part of all documents, in percent, is in the target.
    Delivered(u64),
    /// This part of the time of an undisturbed run, in percent.
    Elapsed(u32),
}

/// What a moment is watched by.
struct Watch<'a> {
    project: &'a Project,
    calls_before: u64,
    workspace: &'a Path,
    target: &'a Place<'a>,
    accepted: u64,
    undisturbed: Duration,
}

enum Place<'a> {
    MySql(&'a Database),
    Sqlite(&'a Path),
}

impl Place<'_> {
    async fn delivered(&self) -> u64 {
        match self {
            Place::MySql(database) => database.delivered().await,
            Place::Sqlite(path) => books::delivered(path),
        }
    }

    async fn read(&self) -> Target {
        match self {
            Place::MySql(database) => Target::of_mysql(database).await,
            Place::Sqlite(path) => Target::of_sqlite(path),
        }
    }
}

impl Watch<'_> {
    async fn has_come(&self, moment: Moment, since: Duration) -> bool {
        match (moment, self.target) {
            (Moment::Calls(calls), _) => self.project.sandbox.calls() >= self.calls_before + calls,
            (Moment::Intended, _) => books::intended(self.workspace) > 0,
            (Moment::Writing, Place::MySql(database)) => database.is_being_written().await,
            (Moment::Writing, Place::Sqlite(_)) => true,
            (Moment::Delivered(percent), place) => place.delivered().await * 100 >= self.accepted * percent,
            (Moment::Elapsed(percent), _) => since * 100 >= self.undisturbed * percent,
        }
    }
}

/// Kills the process a little after the moment. False: it ended before.
async fn kill_at(mut running: Running, moment: Moment, watch: &Watch<'_>) -> bool {
    let began = std::time::Instant::now();
    while running.is_running() {
        if watch.has_come(moment, began.elapsed()).await {
            // Not always at the same instruction; a transaction is over soon.
            let spread = if matches!(moment, Moment::Writing) { 2_000 } else { 20_000 };
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..spread))).await;
            return running.kill();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}

/// Starts the same command once for each moment and kills it there, then lets it come to its end and checks everything.
async fn campaign(
    project: &Project,
    data: &str,
    command: &[&str],
    place: &Place<'_>,
    moments: &[Moment],
    undisturbed: Duration,
) -> (Documents, Vec<Moment>) {
    let truth = project.sandbox.truth();
    let workspace = project.path(data);
    let mut missed = Vec::new();
    for &moment in moments {
        let calls_before = project.sandbox.calls();
        let accepted = truth.accepted;
        let watch = Watch { project, calls_before, workspace: &workspace, target: place, accepted, undisturbed };
        if !kill_at(project.start(data, command), moment, &watch).await {
            missed.push(moment);
        }
    }
    // Bad trades are in the data, so the exit code is 1.
    let report = project.run(data, command).await.expect(1).json();
    assert_eq!(report["complete"], true, "{report}");
    let target = place.read().await;
    let documents = target.check(&truth);
    target.check_ledger(&workspace, &truth);
    let again = project.run(data, command).await.expect(1).json();
    assert_eq!(again["balance"]["documents"], 0, "{again}");
    (documents, missed)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_ten_moments_of_twenty_thousand_trades_into_mariadb() {
    let Some(first) = Database::make("the kill campaign into MariaDB").await else { return };
    let mut project = Project::new(month(20_000)).await;
    let command = whole_month();
    deliver_to(&mut project, &first);
    let calls_before = project.sandbox.calls();
    let took = project.run("undisturbed", &command).await.expect(1).took;
    let calls = project.sandbox.calls() - calls_before;
    let truth = project.sandbox.truth();
    let undisturbed = Target::of_mysql(&first).await;
    let expected = undisturbed.check(&truth);
    undisturbed.check_ledger(&project.path("undisturbed"), &truth);

    // Ten times on one workspace: each time the process comes further.
    let part = |percent| Moment::Calls(calls * percent / 100);
    let one_after_the_other = [
        part(3),
        part(20),
        part(40),
        part(30),
        Moment::Intended,
        Moment::Writing,
        Moment::Delivered(25),
        Moment::Delivered(50),
        Moment::Writing,
        Moment::Delivered(80),
    ];
    let second = Database::make("").await.expect("a second database");
    deliver_to(&mut project, &second);
    let place = Place::MySql(&second);
    let (documents, missed) = campaign(&project, "ten", &command, &place, &one_after_the_other, took).await;
    assert!(missed.is_empty(), "the process had ended before {missed:?}");
    assert!(documents == expected, "the documents differ from those of an undisturbed run");
    second.remove().await;

    // Once each, on a workspace and a target of its own.
    let once = [Moment::Elapsed(60), Moment::Delivered(10)];
    for (n, moment) in once.into_iter().enumerate() {
        let database = Database::make("").await.expect("another database");
        deliver_to(&mut project, &database);
        let data = format!("once-{n}");
        let (documents, _) = campaign(&project, &data, &command, &Place::MySql(&database), &[moment], took).await;
        assert!(documents == expected, "{moment:?}: the documents differ from those of an undisturbed run");
        database.remove().await;
    }
    first.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_ten_moments_of_a_run_into_sqlite() {
    const PIPELINE: &str = "jackyun_trades_to_sqlite";
    const DDL: &str = include_str!("../../../sql/target/lehua_sqlite.sql");
    let mut project = Project::new(month(4_000)).await;
    project.pipeline(PIPELINE, PIPELINE, &[]);
    let command = [&["--json", "run", PIPELINE], &MONTH[..]].concat();
    let mut expected: Option<Documents> = None;
    let rounds: [&[Moment]; 2] = [
        &[],
        &[
            Moment::Calls(2),
            Moment::Calls(20),
            Moment::Calls(20),
            Moment::Intended,
            Moment::Intended,
            Moment::Delivered(1),
            Moment::Delivered(30),
            Moment::Intended,
            Moment::Delivered(60),
            Moment::Delivered(75),
        ],
    ];
    for (n, moments) in rounds.iter().enumerate() {
        let path = project.path(&format!("lehua-{n}.db"));
        dukou::sink::sqlite::execute_ddl(&path, "lehua", DDL).expect("tables");
        project.set("DUKOU_SQLITE_PATH", path.display().to_string());
        let place = Place::Sqlite(&path);
        let data = format!("data-{n}");
        let (documents, missed) = campaign(&project, &data, &command, &place, moments, Duration::ZERO).await;
        assert!(missed.is_empty(), "the process had ended before {missed:?}");
        let first = expected.get_or_insert_with(|| documents.clone());
        assert!(*first == documents, "the documents differ from those of an undisturbed run");
    }
}

/// The second half of what [`TRADES`] promises: a run that has ended is not repeated, however often it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_again_delivers_nothing_and_leaves_the_target_untouched() {
    let Some(database) = Database::make("the second run").await else { return };
    let mut project = Project::new(month(2_000)).await;
    deliver_to(&mut project, &database);
    project.run("data", &whole_month()).await.expect(1);
    let state = "SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM sale_return), (SELECT MAX(id) FROM sale_return), \
                 (SELECT COUNT(*) FROM sale_return_detail), (SELECT MAX(detail_id) FROM sale_return_detail), \
                 (SELECT COUNT(*) FROM dukou_delivery), (SELECT MAX(delivered_at) FROM dukou_delivery), \
                 (SELECT GROUP_CONCAT(AUTO_INCREMENT ORDER BY TABLE_NAME) FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = DATABASE()))";
    let before: Vec<String> = database.rows(state).await;
    for command in [whole_month(), vec!["--json", "deliver", TRADES], vec!["--json", "deliver", TRADES, "--remap"]] {
        let retries = command.contains(&"--remap");
        let report = project.run("data", &command).await.expect(1).json();
        let accepted = &report["balance"]["states"]["accepted"];
        assert!(accepted.is_null(), "{command:?}: {report}");
        if !retries {
            assert_eq!(database.rows::<String>(state).await, before, "{command:?}");
        }
    }
    // A remap tries the rejected ones again, which uses up ids; rows it must not make.
    let target = Target::of_mysql(&database).await;
    target.check(&project.sandbox.truth());
    target.check_ledger(&project.path("data"), &project.sandbox.truth());
    database.remove().await;
}
