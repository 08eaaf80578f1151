//! Stand-in for the template engine, for compiling this branch alone; dropped at the merge.

use crate::base::clock::{WALL_FORMAT, Wall};
use crate::base::{Error, Result};

pub struct Scope {
    pub last_sync: Option<Wall>,
    pub now: Wall,
    pub page_size: u32,
    pub start_page: i64,
}

pub fn render(text: &str, scope: &Scope) -> Result<String> {
    let Some(inner) = text.trim().strip_prefix("{{").and_then(|t| t.strip_suffix("}}")) else {
        return Ok(text.to_string());
    };
    let name = inner.split(['|', ' ']).find(|p| !p.is_empty()).unwrap_or_default();
    match name {
        "LAST_SYNC_TIME" => match scope.last_sync {
            Some(w) => Ok(w.format(WALL_FORMAT).to_string()),
            None => Err(Error::config("no LAST_SYNC_TIME here")),
        },
        "CURRENT_TIME" => Ok(scope.now.format(WALL_FORMAT).to_string()),
        "PAGINATION_PAGE_SIZE" => Ok(scope.page_size.to_string()),
        "PAGINATION_START_PAGE" => Ok(scope.start_page.to_string()),
        _ => Err(Error::config(format!("unknown template {name}"))),
    }
}
