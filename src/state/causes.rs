//! Why documents and rows are not where they should be, grouped by cause.
//!
//! Takes a target and a pipeline, gives one [`Cause`] per state, code, field and gist of the reason. Reads row by row; never
//! writes.

use crate::base::Result;
use crate::base::lifecycle::State;
use crate::base::record::Reason;
use crate::state::ledger::TargetId;
use crate::state::{Store, failed};
use rusqlite::params;
use std::collections::BTreeMap;

/// Keys that are named for a cause.
const EXAMPLES: usize = 3;
/// Beyond this many causes, texts are told apart no more: only state, code and field are.
const MAX_CAUSES: usize = 1_000;

/// Documents that share a state and a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub state: State,
    /// With the text of the first of them.
    pub reason: Reason,
    /// Keys of the first few, in their order; of a record without one `row N`, its `_rid`.
    pub examples: Vec<String>,
    pub documents: u64,
}

impl Cause {
    /// The first of its keys.
    pub fn example(&self) -> Option<&str> {
        self.examples.first().map(String::as_str)
    }
}

impl Store {
    /// Causes of a target's deliveries and of a pipeline's blocked rows, the most frequent first.
    pub fn causes(&self, target: Option<TargetId>, pipeline: &str) -> Result<Vec<Cause>> {
        let sql = "SELECT d.state, r.code, r.field, r.text, r.key FROM reason r
                     JOIN delivery d ON d.target_id = r.target_id AND d.key = r.key
                    WHERE r.target_id = ?1
                   UNION ALL
                   SELECT 1, code, field, text, coalesce(key, 'row ' || rid) FROM blocked WHERE pipeline = ?2
                   ORDER BY 5";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        let mut rows = statement.query(params![target.map(|t| t.0), pipeline]).map_err(failed)?;
        let mut causes: BTreeMap<(State, String, Option<String>, String), Cause> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let state = State::from_code(row.get(0).map_err(failed)?).unwrap_or(State::Unknown);
            let (code, field, text) =
                (row.get(1).map_err(failed)?, row.get(2).map_err(failed)?, row.get(3).map_err(failed)?);
            let (reason, key): (_, String) = (Reason { code, field, text }, row.get(4).map_err(failed)?);
            let gist = if causes.len() < MAX_CAUSES { reason.gist() } else { String::new() };
            let group = (state, reason.code.clone(), reason.field.clone(), gist);
            let cause =
                causes.entry(group).or_insert_with(|| Cause { state, reason, examples: Vec::new(), documents: 0 });
            cause.documents += 1;
            if cause.examples.len() < EXAMPLES {
                cause.examples.push(key);
            }
        }
        let mut causes: Vec<Cause> = causes.into_values().collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.documents));
        Ok(causes)
    }
}
