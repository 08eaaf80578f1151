//! `sandbox`: plays the vendor on this machine until Ctrl-C.

use crate::base::{Error, Result};
use crate::cli::args::{Global, Sandbox as Typed};
use crate::cli::render;
use crate::config::model::ParamValue;
use crate::config::{folder, pipeline};
use crate::sandbox::{APP_KEY, APP_SECRET, Axis, Config, FAULT_SYNTAX, FastSpec, Fault, Sandbox};
use std::net::{Ipv4Addr, SocketAddr};

pub async fn sandbox(global: &Global, typed: &Typed) -> Result<u8> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, typed.port));
    let sandbox = Sandbox::start(config(global, typed)?, address).await.map_err(|e| {
        Error::local(format!("the sandbox cannot listen on {address}: {e}"))
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
    render::out(&format!(
        "export JACKYUN_URL={} JACKYUN_APP_KEY={APP_KEY} JACKYUN_APP_SECRET={APP_SECRET}",
        sandbox.url()
    ));
    tokio::signal::ctrl_c().await.map_err(|e| Error::local(format!("no Ctrl-C here: {e}")))?;
    sandbox.stop().await.map_err(|e| Error::local(format!("the sandbox ended badly: {e}")))?;
    Ok(0)
}

fn config(global: &Global, typed: &Typed) -> Result<Config> {
    let faults = typed.faults.iter().map(|spec| {
        spec.parse::<Fault>()
            .map_err(|e| Error::usage(format!("--fault {spec}: {e}")).hint(format!("write {FAULT_SYNTAX}")))
    });
    Ok(Config {
        seed: typed.seed,
        trades: typed.trades,
        days: typed.days,
        bad: !typed.clean,
        calls_per_second: (!typed.unlimited && typed.fast.is_none()).then_some(typed.calls_per_second),
        faults: faults.collect::<Result<_>>()?,
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
