//! Renews a staged file after its definition has changed: typed again from the raw text, never silently null.
//!
//! Takes a committed file and the new definition, gives a second file beside it with the same rows, ids and raw text. The old file
//! stays until the caller has committed the new one; `remove_orphans` takes it away afterwards.

use crate::base::{Error, Result};
use crate::staging::read::each_row;
use crate::staging::schema::TableDef;
use crate::staging::scope::SliceFile;
use crate::staging::writer::{SliceFileWriter, StagedSlice};
use xxhash_rust::xxh3::xxh3_64;

/// Types `old` again by `def`; the new file is `<table>-<slice>-<n>.parquet` in the same folder. Duplicates are none: the rows were
/// sifted when they came.
pub fn retype(old: &SliceFile, def: &TableDef, key: &str, version: &str) -> Result<StagedSlice> {
    let dir = old.path.parent().ok_or_else(|| Error::bug("a staged file without a folder"))?;
    let free = |n: &u32| !dir.join(name(def, old, *n)).exists();
    let n = (1..).find(free).ok_or_else(|| Error::bug("no free name for a retyped file"))?;
    let mut writer = SliceFileWriter::create(dir, &name(def, old, n), def, key, version, old.slice)?;
    let mut expected = 0;
    each_row(&old.path, None, |row| {
        if row.rid.row() != expected || row.slice != old.slice {
            return Err(Error::local(format!("{}: row {expected} has id {}", old.path.display(), row.rid))
                .hint("the file is damaged: restore it from a backup, or begin a new workspace with --data"));
        }
        expected += 1;
        writer.push(&row.raw, row.page, row.fetched_at, xxh3_64(row.raw.as_bytes()))
    })?;
    if expected != old.rows {
        return Err(Error::local(format!("{}: {expected} rows, {} were committed", old.path.display(), old.rows))
            .hint("the file is damaged: restore it from a backup, or begin a new workspace with --data"));
    }
    writer.finish(0)
}

fn name(def: &TableDef, old: &SliceFile, n: u32) -> String {
    format!("{}-{:08}-{n}.parquet", def.name(), old.slice)
}
