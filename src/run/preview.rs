//! Preview: the documents that would be sent, from what is staged. Nothing is sent, nothing written, no mark moved.

use crate::base::clock::wall;
use crate::base::record::{Mapped, Rid};
use crate::base::{Error, Result};
use crate::mapping::Mapping;
use crate::run::plan::Plan;
use crate::staging::{self, RowSet, StagedTables};
use crate::state::Store;
use chrono::{DateTime, Utc};

/// Records mapped at once while looking for a document by its key.
const CHUNK_ROWS: usize = 1024;

/// What a preview shows.
#[derive(Debug, Default)]
pub struct Preview {
    pub items: Vec<Mapped>,
    /// Rows that were mapped, and rows of them that no item names.
    pub rows: usize,
    pub unmapped: usize,
    /// Newest rows staged in all.
    pub staged: usize,
}

/// Maps the first `limit` newest rows, or the one document with `key`.
pub async fn preview(plan: &Plan, limit: usize, key: Option<&str>, now: DateTime<Utc>) -> Result<Preview> {
    let source = &plan.pipeline.source;
    let store = Store::open_to_read(&plan.workspace)?.ok_or_else(|| nothing_staged(plan))?;
    let source_id = store.known_source(&plan.source()?.source.fingerprint())?;
    let slices = source_id.map(|id| store.slices_of(id)).transpose()?.unwrap_or_default();
    if slices.is_empty() {
        return Err(nothing_staged(plan));
    }
    let files = slices.iter().map(|row| plan.slice_file(row)).collect::<Result<Vec<_>>>()?;
    let tables = StagedTables::new(&plan.def, &files, &source.key, &source.version)?;
    let newest = staging::newest(&files, None, &source.key, &source.version)?.rows;
    let rows = match key {
        Some(key) => named(&newest, &staging::find_key(&files, &source.key, key)?),
        None => newest.iter().take(limit).collect(),
    };
    let mut mapping = Mapping::prepare(
        plan.mapping_spec(wall(now)),
        &StagedTables::schemas(&plan.def, &source.key, &source.version)?,
    )
    .await?;
    let mut preview = Preview { staged: newest.len(), ..Preview::default() };
    for part in rows.chunks(CHUNK_ROWS) {
        map_part(&mut mapping, &tables, &part, key, &mut preview).await?;
    }
    Ok(preview)
}

async fn map_part(
    mapping: &mut Mapping,
    tables: &StagedTables,
    part: &RowSet,
    key: Option<&str>,
    preview: &mut Preview,
) -> Result<()> {
    let rids: Vec<Rid> = part.iter().collect();
    let mut left_out = part.clone();
    let provide = |rids: &[Rid]| tables.providers(Some(&rids.iter().copied().collect()));
    let mut take = |item: Mapped| {
        item.rids().iter().for_each(|rid| {
            left_out.remove(*rid);
        });
        let wanted = match (&item, key) {
            (_, None) => true,
            (Mapped::Document(d), Some(key)) => d.key.as_str() == key,
            (Mapped::Blocked { key: have, .. }, Some(key)) => have.as_deref() == Some(key),
        };
        if wanted {
            preview.items.push(item);
        }
        Ok(())
    };
    mapping.map_rids(&rids, &provide, &mut take).await?;
    preview.rows += rids.len();
    preview.unmapped += left_out.len();
    Ok(())
}

/// The newest rows of one record; when the key is not a record's, all rows: the document is then picked from what they make.
fn named(newest: &RowSet, rids: &[Rid]) -> RowSet {
    if rids.is_empty() { newest.clone() } else { rids.iter().copied().filter(|rid| newest.contains(*rid)).collect() }
}

fn nothing_staged(plan: &Plan) -> Error {
    let name = &plan.pipeline.name;
    Error::usage(format!("nothing is staged for {name} yet, so there is nothing to preview"))
        .hint(format!("dukou stage {name} --from 2024-06-01 --to 2024-06-02"))
}
