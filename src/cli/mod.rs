//! The command line: what was typed becomes an order, what came of it becomes a screen and an exit code.
//!
//! One file per command or family of commands. Only here, and in tests, is the sandbox started. `render.rs` alone prints.

pub mod args;
mod check;
mod completions;
mod demo;
mod document;
mod pipelines;
mod progress;
mod rejected;
mod render;
mod report;
mod sandbox;
pub mod sql;
pub mod status;
pub mod trace;

use crate::base::{Error, Result};
use crate::config::folder;
use crate::config::secret::Env;
use crate::run::plan::Setup;
use crate::state::Workspace;
use args::{Args, Command, Global};
use clap::Parser as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the command that was typed; gives the exit code of the process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            render::error(&Error::local(format!("the machine gives no threads: {e}")));
            return ExitCode::from(4);
        }
    };
    let code = match runtime.block_on(dispatch(args)) {
        Ok(code) => code,
        Err(error) => {
            render::error(&error);
            error.exit_code()
        }
    };
    ExitCode::from(code)
}

async fn dispatch(args: Args) -> Result<u8> {
    let global = &args.global;
    match args.command {
        Command::Completions { shell } => {
            render::out(&completions::script(shell)?);
            Ok(0)
        }
        Command::Demo(demo) => demo::demo(global, &demo).await,
        Command::Sandbox(sandbox) => sandbox::sandbox(global, &sandbox).await,
        Command::Check(check) => check::check(&setup(global)?, global, &check).await,
        Command::Stage(stage) => pipelines::stage(&setup(global)?, global, &stage).await,
        Command::Preview(preview) => pipelines::preview(&setup(global)?, global, &preview).await,
        Command::Deliver(deliver) => pipelines::deliver(&setup(global)?, global, &deliver).await,
        Command::Run(run) => pipelines::run(&setup(global)?, global, &run).await,
        Command::Status(args) => status::run(&setup(global)?, &args, global),
        Command::Rejected(args) => rejected::run(&setup(global)?, &args, global),
        Command::Trace(args) => trace::run(&setup(global)?, &args, global),
        Command::Sql(args) => sql::run(&setup(global)?, &args, global).await,
    }
}

/// The project's folder: the one given, or the nearest one upward.
fn root(global: &Global) -> Result<PathBuf> {
    match &global.root {
        Some(root) if root.join("pipelines").is_dir() => Ok(root.clone()),
        Some(root) => Err(Error::usage(format!("no folder pipelines/ in {}", root.display()))
            .hint("--root names the folder that holds pipelines/ and sql/")),
        None => {
            let here = std::env::current_dir().map_err(|e| Error::io(std::path::Path::new("."), &e))?;
            folder::find_root(&here)
        }
    }
}

fn setup(global: &Global) -> Result<Setup> {
    let root = root(global)?;
    let data = global.data.clone().unwrap_or_else(|| root.join("data"));
    Ok(Setup { root, workspace: Workspace::new(data), env: Env::process() })
}

/// The command line as it was typed, for the run's record; without a URL, which could hold a password.
fn typed() -> String {
    let word = |word: String| if word.contains("://") { "URL".to_string() } else { word };
    let words: Vec<String> = std::env::args().skip(1).map(word).collect();
    format!("dukou {}", words.join(" "))
}

/// Set by Ctrl-C. A second Ctrl-C ends the process at once: what was committed stands, the rest is asked about next time.
fn stop_switch() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&stop);
    // The listener lives as long as the runtime; it holds nothing but the switch.
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if switch.swap(true, Ordering::Relaxed) {
                render::note("stopped at once; the next run asks about what was in flight");
                std::process::exit(130);
            }
            render::note("stopping: finishing what is in flight (Ctrl-C again: at once)");
        }
    });
    stop
}
