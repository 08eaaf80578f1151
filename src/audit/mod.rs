//! Looking at what was done: where a document comes from, how things stand, and SQL over all of it.
//!
//! Takes a [`Setup`](crate::run::plan::Setup), reads state, staging and exchange, gives plain structs. Never writes, never reaches
//! a source or a target, works while another process runs. The screens are in `cli/`.
//!
//! [`trace`] tells the story of one document ([`attempts`] finds what was sent for it), [`status`] says how each pipeline stands,
//! [`sql`] answers one SELECT ([`views`] shows the state store as tables).

pub mod attempts;
pub mod sql;
pub mod status;
pub mod trace;
mod views;

use crate::base::{Error, Result};
use crate::config::model::Pipeline;
use crate::config::{folder, pipeline};
use crate::run::plan::Setup;
use crate::staging::SliceFile;
use crate::state::Store;
use crate::state::slices::SliceRow;

/// The state store, or an error that says how to begin.
fn open(setup: &Setup) -> Result<Store> {
    Store::open_to_read(&setup.workspace)?.ok_or_else(|| {
        Error::usage(format!("the workspace {} is empty: nothing was staged yet", setup.workspace.dir().display()))
            .hint("see the whole way with: dukou demo; or begin with: dukou stage PIPELINE --from 2024-06-01 --to 2024-06-02")
    })
}

/// Every pipeline whose file can be read; a broken one is `check`'s business.
fn pipelines(setup: &Setup) -> Result<Vec<Pipeline>> {
    let mut readable = Vec::new();
    for name in folder::pipelines(&setup.root)? {
        if let Ok(pipeline) = pipeline::load(&folder::locate(&setup.root, &name)?, &setup.root) {
            readable.push(pipeline);
        }
    }
    Ok(readable)
}

/// A sealed slice as staging reads it.
fn slice_file(setup: &Setup, table: &str, row: &SliceRow) -> SliceFile {
    SliceFile {
        slice: row.slice,
        path: setup.workspace.staging(table).join(&row.seal.file),
        rows: u32::try_from(row.seal.staged).unwrap_or(u32::MAX),
        ddl_digest: row.seal.ddl_digest.clone(),
        checksum: row.seal.checksum.clone(),
    }
}
