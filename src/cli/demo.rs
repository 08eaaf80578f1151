//! `demo`: both flows in one command. The sandbox plays the vendors and the ERP in this process; trades go through real HTTP
//! into an SQLite file, or with `--mysql` into a database the demo makes; returns go into the simulated ERP.
//!
//! Has a workspace and credentials of its own and reads no vendor variable of the shell. At the end it compares what dukou
//! says with what the vendors know to be true, and ends 0 only if they agree.

use crate::base::clock::Wall;
use crate::base::lifecycle::State;
use crate::base::{Error, Result};
use crate::cli::args::{Demo, Global};
use crate::cli::{pipelines, render, report, sandbox};
use crate::config::secret::Env;
use crate::run::plan::{Plan, Setup};
use crate::run::report::Report;
use crate::run::{Order, Pull, Select, sinks};
use crate::sandbox::{Config, JushuitanConfig, KingdeeConfig, Sandbox};
use crate::state::Workspace;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The database `demo --mysql` makes and writes into.
const DATABASE: &str = "dukou_demo";
/// The simulated ERP, whatever port it has this time.
const ERP: &str = "kingdee:demo/SAL_RETURNSTOCK";

/// One of the two flows.
struct Flow {
    pipeline: &'static str,
    what: &'static str,
    /// DDL of the target below `sql/target`, where the demo makes one.
    ddl: Option<&'static str>,
    truth: Expected,
}

/// What becomes of the vendor's records if all goes as it should.
struct Expected {
    there: u64,
    rejected: u64,
    blocked: u64,
    left_out: u64,
    conflicts: u64,
}

/// Where the demo works.
struct Place {
    root: PathBuf,
    workspace: PathBuf,
}

pub async fn demo(global: &Global, demo: &Demo) -> Result<u8> {
    let root = super::root(global)?;
    let data = global.data.clone().unwrap_or_else(|| root.join("data"));
    let name = if demo.mysql.is_some() { "demo-mysql" } else { "demo" };
    let place = Place { root, workspace: data.join(name) };
    let workspace = Workspace::new(&place.workspace);
    workspace.make(workspace.dir())?;
    let config = config(demo, &place.workspace);
    let range = range(&config)?;
    let sandbox = Sandbox::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(|e| Error::local(format!("the sandbox does not start: {e}")))?;
    render::note(&format!(
        "吉客云, 聚水潭 and 金蝶云星空 are played by a sandbox on this machine: {}",
        sandbox.jushuitan_url()
    ));
    let setup = Setup { root: place.root.clone(), workspace, env: env(demo, &sandbox, &place.workspace) };
    let mut worst = 0;
    for flow in flows(demo, &sandbox) {
        worst = worst.max(cross(global, &setup, &flow, range).await?);
    }
    sandbox.stop().await.map_err(|e| Error::local(format!("the sandbox ended badly: {e}")))?;
    if !global.json {
        render::out(&closing(&place));
    }
    Ok(worst)
}

fn config(demo: &Demo, place: &Path) -> Config {
    Config {
        trades: demo.trades,
        bad: true,
        calls_per_second: None,
        jushuitan: JushuitanConfig {
            returns: demo.returns,
            calls_per_second: None,
            calls_per_minute: None,
            ..JushuitanConfig::default()
        },
        kingdee: KingdeeConfig { keep: Some(place.join("erp.jsonl")), ..KingdeeConfig::default() },
        ..Config::default()
    }
}

/// All of the sandbox's days.
fn range(config: &Config) -> Result<(Wall, Wall)> {
    let from = config.first_day.and_hms_opt(0, 0, 0);
    let to = from.and_then(|f| f.checked_add_days(chrono::Days::new(u64::from(config.days))));
    from.zip(to).ok_or_else(|| Error::bug("the sandbox's days are no days"))
}

fn env(demo: &Demo, sandbox: &Sandbox, place: &Path) -> Env {
    let url = demo.mysql.as_ref().map(|url| url.expose().to_string()).unwrap_or_default();
    let own = [("DUKOU_SQLITE_PATH", place.join("lehua.db").display().to_string()), ("DUKOU_MYSQL_URL", url)];
    Env::only(sandbox::variables(sandbox).into_iter().chain(own))
}

fn flows(demo: &Demo, sandbox: &Sandbox) -> [Flow; 2] {
    let (trades, returns) = (sandbox.truth(), sandbox.jushuitan_truth());
    let (pipeline, what, ddl) = match demo.mysql {
        Some(_) => ("jackyun_trades_to_mysql", "吉客云 trades → MySQL", "lehua_mysql.sql"),
        None => ("jackyun_trades_to_sqlite", "吉客云 trades → SQLite", "lehua_sqlite.sql"),
    };
    let first = Flow {
        pipeline,
        what,
        ddl: Some(ddl),
        truth: Expected {
            there: trades.accepted,
            rejected: trades.rejected,
            blocked: trades.blocked,
            left_out: trades.left_out,
            conflicts: 0,
        },
    };
    let second = Flow {
        pipeline: "jushuitan_returns_to_kingdee",
        what: "聚水潭 returns → 金蝶 销售退货单",
        ddl: None,
        truth: Expected {
            there: returns.accepted,
            rejected: returns.rejected,
            blocked: returns.blocked,
            left_out: returns.left_out,
            conflicts: returns.conflicts.len() as u64,
        },
    };
    [first, second]
}

/// Carries one flow across and compares; gives its exit code.
async fn cross(global: &Global, setup: &Setup, flow: &Flow, range: (Wall, Wall)) -> Result<u8> {
    let plan = plan(setup, flow)?;
    make_target(&plan, flow).await?;
    let pull = Pull::History { from: range.0, to: range.1 };
    let order = Order { command: "dukou demo".into(), pull: Some(pull), deliver: Some(Select::default()) };
    let done = pipelines::execute(global, &plan, &order).await?;
    if global.json {
        render::out(&done.to_json());
    } else {
        render::out(&format!("\n== {} ==\n{}", flow.what, report::screen(&done)));
    }
    if let Some(error) = &done.failure {
        return Err(error.clone());
    }
    let differences = differences(&done, &flow.truth);
    if !global.json {
        render::out(&verdict(&done, &differences));
    }
    Ok(if differences.is_empty() { 0 } else { done.exit_code.max(1) })
}

fn plan(setup: &Setup, flow: &Flow) -> Result<Plan> {
    let mut plan = Plan::load(setup, flow.pipeline)?;
    // The vendors allow few calls; the sandbox is asked without that limit, so that the demo is short.
    plan.pipeline.source.limits.calls_per_second = 1000.0;
    plan.pipeline.source.limits.calls_per_minute = None;
    plan.database = Some(DATABASE.to_string());
    if flow.ddl.is_none() {
        plan.pipeline.sink.target_id = Some(ERP.to_string());
    }
    Ok(plan)
}

async fn make_target(plan: &Plan, flow: &Flow) -> Result<()> {
    let Some(name) = flow.ddl else { return Ok(()) };
    let path = plan.pipeline.root.join("sql/target").join(name);
    let ddl = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, &e))?;
    sinks::execute_ddl(plan, &ddl).await.map_err(|e| e.context("making the demo's tables"))
}

/// What dukou says against what the vendor knows; empty when they agree.
fn differences(done: &Report, truth: &Expected) -> Vec<String> {
    let there = done.ledger.get(State::Accepted) + done.ledger.get(State::Present);
    let blocked = done.causes.iter().filter(|c| c.state == State::Blocked).map(|c| c.documents).sum::<u64>();
    let pairs = [
        ("in the target", there, truth.there),
        ("rejected by the target", done.ledger.get(State::Rejected), truth.rejected),
        ("in conflict with somebody else's document", done.ledger.get(State::Conflict), truth.conflicts),
        ("blocked with a reason", blocked, truth.blocked),
        ("left out by the mapping", done.open_unmapped, truth.left_out),
    ];
    pairs
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{what}: {ours}, the vendor knows of {theirs}"))
        .collect()
}

fn verdict(done: &Report, differences: &[String]) -> String {
    if !differences.is_empty() {
        return format!("\nTHIS IS NOT WHAT THE SANDBOX KNOWS TO BE TRUE: {}", differences.join("; "));
    }
    let open = render::human(done.open());
    format!(
        "\nThis is what the sandbox knows to be true, the {open} planted bad records included (a real run would end with \
         exit code {} for them).",
        done.exit_code
    )
}

fn closing(place: &Place) -> String {
    let workspace = place.workspace.strip_prefix(&place.root).unwrap_or(&place.workspace).display();
    let command = format!("cargo run --release -- --data {workspace}");
    format!(
        "\nwhat did not arrive:  {command} rejected\n\
         one return's story:   {command} trace XT20000001\n\
         ask the staged data:  {command} sql \"SELECT warehouse, count(*) FROM inout GROUP BY warehouse\"\n\
         the same again:       the command you typed; it delivers nothing twice"
    )
}
