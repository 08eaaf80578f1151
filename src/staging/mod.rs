//! What came ashore: pages become Parquet slices, and slices become the tables SQL sees.
//!
//! Takes pages, a table definition and slice numbers; gives one file per slice and DataFusion tables over sets of files.
//! Never commits a slice (the state store does), never knows a vendor, never reads a file the state store did not name.
//!
//! In the order of the data: [`ddl`] reads the definition into [`schema`]; [`decode`] parses each raw record once
//! ([`scalar`] holds the rules per value, [`columns`] the builders, [`text`] escapes and dropping, [`tally`] the counts of
//! what did not fit); [`writer`] makes the file, `encode` beside it on a
//! thread of its own; [`read`] reads it; [`scope`] says which rows a run maps; [`tables`] and
//! [`flatten`] show them to SQL; [`retype`] renews a file after the definition has changed.

pub mod columns;
pub mod ddl;
pub mod decode;
mod encode;
pub mod flatten;
pub mod read;
pub mod retype;
pub mod scalar;
pub mod schema;
pub mod scope;
pub mod tables;
pub mod tally;
pub mod text;
pub mod writer;

pub use read::{StagedRow, find_key, raw_record};
pub use retype::retype;
pub use schema::TableDef;
pub use scope::{Newest, RowSet, SliceFile, newest, row_versions, verify};
pub use tables::StagedTables;
pub use tally::FieldCount;
pub use writer::{PageStats, SliceWriter, StagedSlice, TwinSet, checksum, holds_slices, remove_orphans};

#[cfg(test)]
mod tests;
