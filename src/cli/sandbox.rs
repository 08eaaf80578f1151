//! `sandbox`: plays the vendors and the ERP on this machine until Ctrl-C.

use crate::base::{Error, Result};
use crate::cli::args::{Global, Sandbox as Typed};
use crate::cli::render;
use crate::config::model::ParamValue;
use crate::config::{folder, pipeline};
use crate::sandbox::{
    APP_KEY, APP_SECRET, Axis, Config, FAULT_SYNTAX, FastSpec, Fault, JUSHUITAN_ACCESS_TOKEN, JUSHUITAN_APP_KEY,
    JUSHUITAN_APP_SECRET, JUSHUITAN_REFRESH_TOKEN, JushuitanConfig, KingdeeConfig, Sandbox,
};
use std::net::{Ipv4Addr, SocketAddr};

pub async fn sandbox(global: &Global, typed: &Typed) -> Result<u8> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, typed.port));
    let sandbox = Sandbox::start(config(global, typed)?, address).await.map_err(|e| {
        Error::usage(format!("the sandbox cannot listen on {address}: {e}"))
            .hint("take another port with --port, or 0 for any")
    })?;
    if let Some(fast) = sandbox.fast_summary() {
        let rate = fast.bytes as u128 * 1000 / fast.took.as_millis().max(1);
        render::note(&format!(
            "rendered beforehand: {} records on {} pages in {} windows, {} ({}/s)",
            render::human(fast.records),
            render::human(fast.pages as u64),
            render::human(fast.windows as u64),
            render::bytes(fast.bytes),
            render::bytes(u64::try_from(rate).unwrap_or(u64::MAX))
        ));
    }
    render::note("a simulation for tests and demos; only this machine reaches it; Ctrl-C stops it. In another shell:");
    for vendor in ["JACKYUN_", "JST_", "KINGDEE_"] {
        let own = variables(&sandbox).into_iter().filter(|(name, _)| name.starts_with(vendor));
        let words: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        render::out(&format!("export {}", words.join(" ")));
    }
    tokio::signal::ctrl_c().await.map_err(|e| Error::local(format!("no Ctrl-C here: {e}")))?;
    sandbox.stop().await.map_err(|e| Error::local(format!("the sandbox ended badly: {e}")))?;
    Ok(0)
}

/// What the shipped pipelines want to know of the vendors, as this sandbox plays them.
pub fn variables(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let erp = KingdeeConfig::default();
    vec![
        ("JACKYUN_URL", sandbox.url()),
        ("JACKYUN_APP_KEY", APP_KEY.to_string()),
        ("JACKYUN_APP_SECRET", APP_SECRET.to_string()),
        ("JST_URL", sandbox.jushuitan_url()),
        ("JST_APP_KEY", JUSHUITAN_APP_KEY.to_string()),
        ("JST_APP_SECRET", JUSHUITAN_APP_SECRET.to_string()),
        ("JST_ACCESS_TOKEN", JUSHUITAN_ACCESS_TOKEN.to_string()),
        ("JST_REFRESH_TOKEN", JUSHUITAN_REFRESH_TOKEN.to_string()),
        ("KINGDEE_URL", sandbox.kingdee_url()),
        ("KINGDEE_ACCT_ID", erp.acct_id),
        ("KINGDEE_USERNAME", erp.username),
        ("KINGDEE_APP_ID", erp.app_id),
        ("KINGDEE_APP_SECRET", erp.app_secret),
    ]
}

fn config(global: &Global, typed: &Typed) -> Result<Config> {
    let faults = typed.faults.iter().map(|spec| {
        spec.parse::<Fault>()
            .map_err(|e| Error::usage(format!("--fault {spec}: {e}")).hint(format!("write {FAULT_SYNTAX}")))
    });
    let default = JushuitanConfig::default();
    Ok(Config {
        seed: typed.seed,
        trades: typed.trades,
        days: typed.days,
        bad: !typed.clean,
        calls_per_second: (!typed.unlimited && typed.fast.is_none()).then_some(typed.calls_per_second),
        faults: faults.collect::<Result<_>>()?,
        jushuitan: JushuitanConfig {
            returns: typed.returns,
            calls_per_second: if typed.unlimited { None } else { default.calls_per_second },
            calls_per_minute: if typed.unlimited { None } else { default.calls_per_minute },
            ..default
        },
        kingdee: KingdeeConfig { keep: typed.keep.clone(), ..KingdeeConfig::default() },
        fast: typed.fast.as_deref().map(|name| fast(global, name)).transpose()?,
        ..Config::default()
    })
}

/// What a history of this pipeline asks for, page by page.
fn fast(global: &Global, name: &str) -> Result<FastSpec> {
    let root = super::root(global)?;
    let pipeline = pipeline::load(&folder::locate(&root, name)?, &root)
        .map_err(|faults| crate::base::fault::Fault::into_error(&faults))?;
    let source = &pipeline.source;
    let fields = match source.params.iter().find(|(name, _)| name == "fields") {
        Some((_, ParamValue::Text(fields))) => fields.clone(),
        _ => return Err(Error::config(format!("{name}: source.params.fields is not a list of names"))),
    };
    let axis = match source.history.as_ref().map(|h| h.axis.as_str()) {
        Some("created") => Axis::Created,
        Some("consign") => Axis::Consign,
        _ => Axis::Modified,
    };
    let slice_hours = u32::try_from(source.window.slice.as_secs() / 3600).unwrap_or(24).max(1);
    Ok(FastSpec { fields, page_size: source.window.page_size, slice_hours, axis })
}
