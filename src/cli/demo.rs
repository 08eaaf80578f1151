//! `demo`: the whole way in one command. The sandbox plays the vendor in this process; trades go through real HTTP into an
//! SQLite file, or with `--mysql` into a database the demo makes.
//!
//! Has a workspace and credentials of its own and reads no vendor variable of the shell. At the end it compares what dukou
//! says with what the vendor knows to be true, and ends 0 only if they agree.

use crate::base::clock::Wall;
use crate::base::lifecycle::State;
use crate::base::{Error, Result};
use crate::cli::args::{Demo, Global};
use crate::cli::{pipelines, render, report};
use crate::config::secret::Env;
use crate::run::plan::{Plan, Setup};
use crate::run::report::Report;
use crate::run::{Order, Pull, Select, sinks};
use crate::sandbox::{APP_KEY, APP_SECRET, Config, Sandbox, Truth};
use crate::state::Workspace;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// The database `demo --mysql` makes and writes into.
const DATABASE: &str = "dukou_demo";

pub async fn demo(global: &Global, demo: &Demo) -> Result<u8> {
    let root = super::root(global)?;
    let data = global.data.clone().unwrap_or_else(|| root.join("data"));
    let (pipeline, place) = match demo.mysql {
        Some(_) => ("jackyun_trades_to_mysql", data.join("demo-mysql")),
        None => ("jackyun_trades_to_sqlite", data.join("demo")),
    };
    let config = Config { trades: demo.trades, bad: true, calls_per_second: None, ..Config::default() };
    let (from, to) = range(&config)?;
    let sandbox = Sandbox::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(|e| Error::local(format!("the sandbox does not start: {e}")))?;
    render::note(&format!("吉客云 is played by a sandbox on this machine: {}", sandbox.url()));
    let setup = Setup { root: root.clone(), workspace: Workspace::new(&place), env: env(demo, &sandbox, &place) };
    let plan = plan(&setup, pipeline)?;
    make_target(&plan, &root, demo).await?;
    let pull = Pull::History { from, to };
    let order = Order { command: "dukou demo".into(), pull: Some(pull), deliver: Some(Select::default()) };
    let done = pipelines::execute(global, &plan, &order).await?;
    let truth = sandbox.truth();
    sandbox.stop().await.map_err(|e| Error::local(format!("the sandbox ended badly: {e}")))?;
    if global.json {
        render::out(&done.to_json());
    } else {
        render::out(&report::screen(&done));
    }
    if let Some(error) = &done.failure {
        return Err(error.clone());
    }
    let differences = differences(&done, &truth);
    if !global.json {
        render::out(&closing(&done, &differences, &place, &root));
    }
    Ok(if differences.is_empty() { 0 } else { done.exit_code.max(1) })
}

/// All of the sandbox's days.
fn range(config: &Config) -> Result<(Wall, Wall)> {
    let from = config.first_day.and_hms_opt(0, 0, 0);
    let to = from.and_then(|f| f.checked_add_days(chrono::Days::new(u64::from(config.days))));
    from.zip(to).ok_or_else(|| Error::bug("the sandbox's days are no days"))
}

fn env(demo: &Demo, sandbox: &Sandbox, place: &Path) -> Env {
    let url = demo.mysql.as_ref().map(|url| url.expose().to_string()).unwrap_or_default();
    Env::only([
        ("JACKYUN_URL", sandbox.url()),
        ("JACKYUN_APP_KEY", APP_KEY.to_string()),
        ("JACKYUN_APP_SECRET", APP_SECRET.to_string()),
        ("DUKOU_SQLITE_PATH", place.join("lehua.db").display().to_string()),
        ("DUKOU_MYSQL_URL", url),
    ])
}

fn plan(setup: &Setup, pipeline: &str) -> Result<Plan> {
    let mut plan = Plan::load(setup, pipeline)?;
    // The vendor allows one call a second; the sandbox is asked without that limit, so that the demo is short.
    plan.pipeline.source.limits.calls_per_second = 1000.0;
    plan.database = Some(DATABASE.to_string());
    setup.workspace.make(setup.workspace.dir())?;
    Ok(plan)
}

async fn make_target(plan: &Plan, root: &Path, demo: &Demo) -> Result<()> {
    let name = if demo.mysql.is_some() { "lehua_mysql.sql" } else { "lehua_sqlite.sql" };
    let path = root.join("sql/target").join(name);
    let ddl = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, &e))?;
    sinks::execute_ddl(plan, &ddl).await.map_err(|e| e.context("making the demo's tables"))
}

/// What dukou says against what the vendor knows; empty when they agree.
fn differences(done: &Report, truth: &Truth) -> Vec<String> {
    let there = done.ledger.get(State::Accepted) + done.ledger.get(State::Present);
    let blocked = done.causes.iter().filter(|c| c.state == State::Blocked).map(|c| c.documents).sum::<u64>();
    let pairs = [
        ("in the target", there, truth.accepted),
        ("rejected by the target", done.ledger.get(State::Rejected), truth.rejected),
        ("blocked with a reason", blocked, truth.blocked),
        ("left out by the mapping", done.open_unmapped, truth.left_out),
    ];
    pairs
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{what}: {ours}, the vendor knows of {theirs}"))
        .collect()
}

fn closing(done: &Report, differences: &[String], place: &Path, root: &Path) -> String {
    let place = place.strip_prefix(root).unwrap_or(place).display();
    let mut text = if differences.is_empty() {
        let open = render::human(done.open());
        format!(
            "\nThis is what the sandbox knows to be true, the {open} planted bad trades included (a real run would end with exit code 1 for them).\n"
        )
    } else {
        format!("\nTHIS IS NOT WHAT THE SANDBOX KNOWS TO BE TRUE: {}\n", differences.join("; "))
    };
    let example = done.causes.iter().find(|c| c.state == State::Rejected).and_then(|c| c.example());
    text.push_str("\nlook at one trade:    ");
    text.push_str(&format!("cargo run --release -- --data {place} trace {}", example.unwrap_or("KEY")));
    text.push_str(&format!("\nask the staged data:  cargo run --release -- --data {place} sql \"SELECT shopName, count(*) FROM trade GROUP BY shopName\""));
    text.push_str("\nthe same again:       the command you typed; it delivers nothing twice");
    text
}
