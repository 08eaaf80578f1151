//! `check`: what is wrong with pipelines, mappings and statements, all at once.

use crate::base::Result;
use crate::cli::args::{Check, Global};
use crate::cli::render;
use crate::config::folder;
use crate::run::check::{check_offline, check_online};
use crate::run::plan::{Plan, Setup};
use serde_json::json;

pub async fn check(setup: &Setup, global: &Global, check: &Check) -> Result<u8> {
    let names = if check.pipelines.is_empty() { folder::pipelines(&setup.root)? } else { check.pipelines.clone() };
    let mut worst = 0;
    for name in &names {
        let faults = check_offline(setup, name).await?;
        if global.json {
            for f in &faults {
                let fault = json!({ "pipeline": name, "file": f.file, "line": f.line, "column": f.column,
                                    "message": f.message, "hint": f.hint });
                render::out(&fault.to_string());
            }
        } else {
            faults.iter().for_each(|fault| render::out(&fault.to_string()));
        }
        if !faults.is_empty() {
            worst = 2;
            continue;
        }
        if check.online {
            match Plan::load(setup, name) {
                Ok(plan) => match check_online(&plan).await {
                    Ok(()) => {}
                    Err(error) => {
                        render::error(&error.clone().context(name.as_str()));
                        worst = worst.max(error.exit_code());
                        continue;
                    }
                },
                Err(error) => return Err(error),
            }
        }
        if !global.json && !global.quiet {
            render::out(&format!("{name}: sound{}", if check.online { ", and both ends answer" } else { "" }));
        }
    }
    Ok(worst)
}
