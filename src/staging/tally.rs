//! Counts of what did not fit the definition, by field path, with the first sample of each.
//!
//! Takes paths and texts, gives [`FieldCount`]s. Its memory does not grow with the number of records: declared fields are
//! a fixed list, undeclared ones are told apart up to a limit and counted together beyond it.

use std::collections::HashMap;

/// Undeclared paths told apart; a vendor that uses ids as field names must not fill the memory.
const MAX_DRIFT_PATHS: usize = 1000;
/// Path under which all further undeclared fields are counted.
const OTHER_PATHS: &str = "(other undeclared fields)";
/// Characters of a sample.
const SAMPLE_CHARS: usize = 120;

/// How often something happened at a field, and the first value it happened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCount {
    /// `goodsDetail.sellCount`: names joined by dots, array positions left out.
    pub path: String,
    pub count: u64,
    /// The first value, as the vendor wrote it, cut to 120 characters.
    pub sample: String,
}

#[derive(Debug)]
struct Entry {
    count: u64,
    sample: String,
}

/// What did not fit in one slice.
#[derive(Debug, Default)]
pub struct Tally {
    paths: Vec<String>,
    misfits: Vec<Option<Entry>>,
    drift: HashMap<String, Entry>,
    path: String,
    /// Reused by the decoder for texts with escapes.
    pub(super) scratch: String,
}

impl Tally {
    /// Registers a declared path; the number is what [`Tally::misfit`] wants.
    pub fn declare(&mut self, path: String) -> usize {
        self.paths.push(path);
        self.misfits.push(None);
        self.paths.len() - 1
    }

    pub fn path(&self, node: usize) -> &str {
        self.paths.get(node).map_or("", String::as_str)
    }

    /// A value that does not fit the declared type of `node`.
    pub fn misfit(&mut self, node: usize, sample: &str) {
        if let Some(slot) = self.misfits.get_mut(node) {
            slot.get_or_insert_with(|| Entry { count: 0, sample: cut(sample) }).count += 1;
        }
    }

    /// A field called `name` under `parent` that the definition does not have.
    pub fn undeclared(&mut self, parent: usize, name: &str, sample: &str) {
        self.path.clear();
        let parent = self.paths.get(parent).map_or("", String::as_str);
        if !parent.is_empty() {
            self.path.push_str(parent);
            self.path.push('.');
        }
        self.path.push_str(name);
        if let Some(entry) = self.drift.get_mut(&self.path) {
            entry.count += 1;
            return;
        }
        let key = if self.drift.len() < MAX_DRIFT_PATHS { self.path.clone() } else { OTHER_PATHS.to_string() };
        self.drift.entry(key).or_insert_with(|| Entry { count: 0, sample: cut(sample) }).count += 1;
    }

    /// Values that did not fit, in the order of the definition.
    pub fn misfits(&self) -> Vec<FieldCount> {
        let name = |path: &String| if path.is_empty() { "(record)".to_string() } else { path.clone() };
        let found =
            self.paths.iter().zip(&self.misfits).filter_map(|(path, entry)| Some((name(path), entry.as_ref()?)));
        found.map(|(path, e)| FieldCount { path, count: e.count, sample: e.sample.clone() }).collect()
    }

    /// Undeclared fields, by path.
    pub fn drift(&self) -> Vec<FieldCount> {
        let counts = self.drift.iter();
        let mut out: Vec<FieldCount> = counts
            .map(|(path, e)| FieldCount { path: path.clone(), count: e.count, sample: e.sample.clone() })
            .collect();
        out.sort_by(|a, b| a.path.cmp(&b.path));
        out
    }
}

fn cut(sample: &str) -> String {
    sample.chars().take(SAMPLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeclared_names_are_told_apart_up_to_a_limit_and_none_is_lost() {
        let mut tally = Tally::default();
        let root = tally.declare(String::new());
        for i in 0..3000 {
            tally.undeclared(root, &format!("f{}", i % 1500), "x");
        }
        let drift = tally.drift();
        assert_eq!(drift.len(), MAX_DRIFT_PATHS + 1);
        assert_eq!(drift.iter().map(|d| d.count).sum::<u64>(), 3000);
    }
}
