//! `dukou sql "SELECT …"`: the answer as a table, or as JSON lines.
//!
//! Takes batches as they come, prints them; memory is that of one table, at most [`TABLE_ROWS`] rows.

use crate::audit::sql::{self, QueryResult};
use crate::base::Result;
use crate::cli::args::{Global, Sql};
use crate::cli::render;
use crate::run::plan::Setup;
use arrow::array::RecordBatch;
use std::io::IsTerminal as _;
use std::time::Instant;

/// Rows of one table; on a terminal there is only one.
pub const TABLE_ROWS: usize = 10_000;
/// Columns of a cell without `-v`.
const CELL: usize = 60;

/// Runs the command; gives the exit code.
pub async fn run(setup: &Setup, args: &Sql, global: &Global) -> Result<u8> {
    let began = Instant::now();
    let result = sql::query(setup, &args.query).await?;
    let rows = if global.json {
        lines(result).await?
    } else {
        let width = if global.verbose > 0 { usize::MAX } else { CELL };
        tables(result, width, std::io::stdout().is_terminal()).await?
    };
    if !global.quiet {
        render::note(&format!("{} in {:.2} s", render::count(rows, "row"), began.elapsed().as_secs_f64()));
    }
    Ok(0)
}

async fn lines(mut result: QueryResult) -> Result<u64> {
    let mut rows = 0;
    while let Some(batch) = result.next().await? {
        rows += batch.num_rows() as u64;
        if batch.num_rows() > 0 {
            render::stream(&sql::json_lines(&batch)?)?;
        }
    }
    Ok(rows)
}

/// A table per [`TABLE_ROWS`] rows; only the first one if `only_one`.
async fn tables(mut result: QueryResult, width: usize, only_one: bool) -> Result<u64> {
    let names: Vec<String> = result.schema.fields().iter().map(|f| f.name().clone()).collect();
    let (mut shown, mut waiting): (u64, Vec<Vec<String>>) = (0, Vec::new());
    while let Some(batch) = result.next().await? {
        waiting.extend(cells(&batch, width)?);
        while waiting.len() > TABLE_ROWS {
            let rest = waiting.split_off(TABLE_ROWS);
            render::stream(&table(&names, &waiting))?;
            shown += waiting.len() as u64;
            if only_one {
                render::note("there are more rows: add a LIMIT or a WHERE, or let a file or a program take them all");
                return Ok(shown);
            }
            waiting = rest;
        }
    }
    if !waiting.is_empty() || shown == 0 {
        shown += waiting.len() as u64;
        render::stream(&table(&names, &waiting))?;
    }
    Ok(shown)
}

/// The rows of a batch as text, long cells cut.
pub fn cells(batch: &RecordBatch, width: usize) -> Result<Vec<Vec<String>>> {
    let rows = sql::text_rows(batch)?;
    Ok(rows.into_iter().map(|row| row.iter().map(|cell| render::cut(cell, width)).collect()).collect())
}

/// The screen.
pub fn table(names: &[String], rows: &[Vec<String>]) -> String {
    render::table(&names.iter().map(String::as_str).collect::<Vec<_>>(), rows)
}
