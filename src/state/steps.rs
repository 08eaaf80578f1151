//! The lifecycle's table as SQL: which step the ledger lets a delivery take.
//!
//! Takes a state, gives the statements that reach it from where [`lifecycle`](crate::base::lifecycle) allows it. Never decides
//! by itself.

use crate::base::Error;
use crate::base::lifecycle::{ALL, State};
use std::sync::LazyLock;

/// The statements that bring a delivery into a state, from where the lifecycle allows it.
pub(super) struct Step {
    pub settle: String,
    pub put: String,
}

/// One per state, by its code; written once, because every document passes here twice.
pub(super) static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| ALL.into_iter().map(Step::into).collect());

impl Step {
    fn into(state: State) -> Self {
        let before = ALL.into_iter().filter(|from| from.may_become(state)).map(|from| from.code().to_string());
        let before = before.collect::<Vec<_>>().join(",");
        // What was stored and then refused must have been asked about, and so be unknown, before it is sent again.
        let (intended, rejected) = (State::Intended.code(), State::Rejected.code());
        let unasked = format!("{intended} = {} AND delivery.state = {rejected}", state.code());
        let settle = format!(
            "UPDATE delivery SET state = ?3, remote = coalesce(?4, remote)
             WHERE target_id = ?1 AND key = ?2 AND state IN ({before})"
        );
        let put = format!(
            "INSERT INTO delivery (target_id, key, digest, state, version, rid, remote, mapping_id, run_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (target_id, key) DO UPDATE SET digest = excluded.digest, state = excluded.state,
               version = excluded.version, rid = excluded.rid, remote = excluded.remote,
               mapping_id = excluded.mapping_id, run_id = excluded.run_id
             WHERE delivery.state IN ({before}) AND NOT ({unasked} AND delivery.remote IS NOT NULL)"
        );
        Self { settle, put }
    }
}

/// The lifecycle is kept here, where every change passes: a step that its table does not know undoes the transaction.
pub(super) fn allowed(changed: usize, key: &str, state: State) -> rusqlite::Result<()> {
    match changed {
        1 => Ok(()),
        _ => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(Error::bug(format!(
            "{key} must not become {state} from where it stands"
        ))))),
    }
}
