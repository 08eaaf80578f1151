//! Which look-ups that found nothing matter: those of documents, and those that left a document without a field it must have.
//!
//! Takes the rows of a chunk and what was missed in it, gives the misses of documents alone and better reasons. The engine works on
//! columns and does not say which row missed what, so records are mapped again: one by one the first [`MAX_ALONE`] of each field
//! that is required and null, together all others that became no document. That is only done for a chunk in which something was
//! missed, and it sends nothing. Of the documents beyond the first ones the reason names field and reference table, not the key.

use super::contract::NULL;
use super::fields::plain;
use super::{Failure, Mapping, Misses, Provide};
use crate::base::record::{Mapped, Reason, Rid};
use std::collections::{HashMap, HashSet};

/// Documents per chunk and field that are mapped again alone. One row missing in a reference table may block thousands, and each
/// of them is a plan of its own; what is missing is seen from a few.
pub(super) const MAX_ALONE: usize = 50;

impl Mapping {
    /// The misses of the rows that became documents; reasons of the others are made to name the reference table and the key.
    pub(super) async fn blame(
        &self,
        rids: &[Rid],
        rows: &mut [Mapped],
        mut misses: Misses,
        provide: Provide<'_>,
    ) -> Result<Misses, Failure> {
        if misses.total() == 0 {
            return Ok(misses);
        }
        let sent: HashSet<Rid> = rows.iter().filter_map(Mapped::document).flat_map(|d| d.rids.clone()).collect();
        let mut others: HashSet<Rid> = rids.iter().copied().filter(|rid| !sent.contains(rid)).collect();
        let mut alone: HashMap<String, usize> = HashMap::new();
        for row in rows {
            if let Mapped::Blocked { rids, reason, .. } = row
                && reason.text == NULL
                && rids.first().is_some_and(|rid| others.contains(rid))
            {
                let told = alone.entry(plain(reason.field.as_deref().unwrap_or_default())).or_default();
                *told += 1;
                if *told > MAX_ALONE {
                    self.hint_at_lookups(reason);
                    continue;
                }
                let own = self.misses_of(rids, provide).await?;
                misses.remove(&own);
                others.retain(|rid| !rids.contains(rid));
                self.explain(reason, &own);
            }
        }
        let others: Vec<Rid> = rids.iter().copied().filter(|rid| others.contains(rid)).collect();
        if !others.is_empty() {
            misses.remove(&self.misses_of(&others, provide).await?);
        }
        Ok(misses)
    }

    async fn misses_of(&self, rids: &[Rid], provide: Provide<'_>) -> Result<Misses, Failure> {
        let outcome = self.stream(rids, provide, &mut |_| Ok(())).await;
        let misses = self.lookups.take_misses();
        outcome.map(|()| misses)
    }

    /// The look-ups written in a field, as what may be the matter: which key they missed was not asked.
    fn hint_at_lookups(&self, reason: &mut Reason) {
        let own = self.written.lookups_in(reason.field.as_deref().unwrap_or_default());
        if !own.is_empty() {
            let tables = own.into_iter().collect::<Vec<_>>().join(", ");
            reason.text =
                format!("{NULL} (looked up in {tables}; the missing key is named for {MAX_ALONE} documents only)");
        }
    }

    /// A field that is null because of a look-up written in it is that look-up's fault. Where none is written in it, look-ups that
    /// are in no field either (a CTE made the value) are told beside.
    fn explain(&self, reason: &mut Reason, missed: &Misses) {
        let own = self.written.lookups_in(reason.field.as_deref().unwrap_or_default());
        let others = self.written.lookups_in_fields();
        let concerns = |table: &str| if own.is_empty() { !others.contains(table) } else { own.contains(table) };
        let named = missed.by_value.keys().filter(|(table, _)| concerns(table));
        let named = named.map(|(table, key)| format!("{table}: no row for {key}")).collect::<Vec<_>>().join("; ");
        if named.is_empty() {
            return;
        }
        if own.is_empty() {
            reason.text = format!("{NULL} (look-ups without a row: {named})");
        } else {
            *reason = Reason { code: "lookup".into(), text: named, field: reason.field.take() };
        }
    }
}
