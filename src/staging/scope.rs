//! Which staged rows a run maps: the newest version of every key that a slice of the run touches.
//!
//! Takes committed files, gives a [`RowSet`]. Reads keys and versions only; never sorts or buffers records. Memory grows with the
//! number of distinct keys in scope (about 60 bytes each), not with the size of the records.

use crate::base::record::{Rid, SliceNo};
use crate::base::{Error, Result};
use crate::staging::read::{column, each_batch, numbers, wrong_type};
use crate::staging::schema::{FETCHED_AT, RID};
use crate::staging::writer::{Ready, checksum};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

/// A null version: below all others.
const NO_VERSION: i64 = i64::MIN;

/// A committed file, as the state store names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceFile {
    pub slice: SliceNo,
    pub path: PathBuf,
    pub rows: u32,
    /// Digest of the definition it was typed by.
    pub ddl_digest: String,
    /// Of its bytes, as [`checksum`](crate::staging::checksum) gives it.
    pub checksum: String,
}

/// Reads the bytes of every file that holds one of `rows`, and refuses one that is not what was sealed.
pub fn verify(files: &[SliceFile], rows: &RowSet) -> Result<()> {
    for file in files.iter().filter(|file| !rows.ranges(file.slice).is_empty()) {
        if checksum(&file.path)? != file.checksum {
            return Err(Error::local(format!("{}: the file is not the one that was sealed", file.path.display())).hint(
                "it was changed or damaged on the disk: restore it from a backup, or begin a new workspace with --data",
            ));
        }
    }
    Ok(())
}

/// A set of staged rows: a bitmap per slice.
#[derive(Debug, Clone, Default)]
pub struct RowSet {
    slices: BTreeMap<SliceNo, Vec<u64>>,
    len: usize,
}

/// The version of a key that wins so far: greatest (version, fetched, rid). A null version is below all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Winner {
    version: i64,
    fetched: i64,
    rid: i64,
}

type Winners = HashMap<u128, Winner, BuildHasherDefault<Ready>>;

/// Which rows of the touched keys count.
#[derive(Debug, Clone, Default)]
pub struct Newest {
    /// The newest row of each key, and rows without a key.
    pub rows: RowSet,
    /// Older rows of the same keys.
    pub superseded: RowSet,
}

/// The newest row of each key that occurs in a `touched` slice (`None`: of every key) among all `files`. Rows without a key (null or
/// empty) of touched slices are all in: the mapping blocks them one by one.
pub fn newest(files: &[SliceFile], touched: Option<&HashSet<SliceNo>>, key: &str, version: &str) -> Result<Newest> {
    let is_touched = |file: &&SliceFile| touched.is_none_or(|t| t.contains(&file.slice));
    let mut winners = Winners::default();
    let (mut rows, mut superseded) = (RowSet::default(), RowSet::default());
    let mut contest = |known: &mut Winner, candidate: Winner| {
        superseded.insert(Rid(candidate.min(*known).rid));
        *known = candidate.max(*known);
    };
    for file in files.iter().filter(is_touched) {
        each_version(file, key, version, |key, candidate| match key {
            None => {
                rows.insert(Rid(candidate.rid));
            }
            Some(key) => match winners.entry(key) {
                Entry::Occupied(mut known) => contest(known.get_mut(), candidate),
                Entry::Vacant(free) => {
                    free.insert(candidate);
                }
            },
        })?;
    }
    for file in files.iter().filter(|f| !is_touched(f)) {
        each_version(file, key, version, |key, candidate| {
            if let Some(known) = key.and_then(|k| winners.get_mut(&k)) {
                contest(known, candidate);
            }
        })?;
    }
    winners.values().for_each(|w| {
        rows.insert(Rid(w.rid));
    });
    Ok(Newest { rows, superseded })
}

/// The version of each of `rows`, as [`newest`] orders them; rows without a version are left out.
pub fn row_versions(files: &[SliceFile], rows: &RowSet, version: &str) -> Result<HashMap<Rid, i64>> {
    let mut found = HashMap::with_capacity(rows.len());
    for file in files {
        let ranges = rows.ranges(file.slice);
        if ranges.is_empty() {
            continue;
        }
        each_batch(&file.path, &[version, RID], Some(&ranges), |batch| {
            let rids = numbers::<Int64Type>(batch, RID)?;
            let versions = versions(batch, version)?.into_iter().enumerate();
            found.extend(versions.filter(|(_, v)| *v != NO_VERSION).map(|(i, v)| (Rid(rids.value(i)), v)));
            Ok(())
        })
        .map_err(|e| e.context(format!("slice {}", file.slice)))?;
    }
    Ok(found)
}

fn each_version(file: &SliceFile, key: &str, version: &str, mut take: impl FnMut(Option<u128>, Winner)) -> Result<()> {
    let mut columns = vec![key, FETCHED_AT, RID];
    if version != key {
        columns.push(version);
    }
    each_batch(&file.path, &columns, None, |batch| {
        let keys = Keys::of(batch, key)?;
        let versions = versions(batch, version)?;
        let (fetched, rids) =
            (numbers::<TimestampMicrosecondType>(batch, FETCHED_AT)?, numbers::<Int64Type>(batch, RID)?);
        for (i, version) in versions.into_iter().enumerate() {
            take(keys.hash(i), Winner { version, fetched: fetched.value(i), rid: rids.value(i) });
        }
        Ok(())
    })
    .map_err(|e| e.context(format!("slice {}", file.slice)))
}

/// The key column of a batch.
enum Keys<'a> {
    Text(&'a ArrayRef),
    Big(&'a ArrayRef),
    Int(&'a ArrayRef),
}

impl<'a> Keys<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self> {
        let array = column(batch, name)?;
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Text(array)),
            DataType::Int64 => Ok(Self::Big(array)),
            DataType::Int32 => Ok(Self::Int(array)),
            other => Err(wrong_type(name, other)),
        }
    }

    /// 128 bits tell any two keys apart; `None` for a row without a key.
    fn hash(&self, i: usize) -> Option<u128> {
        let (Self::Text(array) | Self::Big(array) | Self::Int(array)) = self;
        if array.is_null(i) {
            return None;
        }
        match self {
            Self::Text(a) => {
                Some(a.as_string::<i32>().value(i)).filter(|k| !k.is_empty()).map(|k| xxh3_128(k.as_bytes()))
            }
            Self::Big(a) => Some(xxh3_128(&a.as_primitive::<Int64Type>().value(i).to_le_bytes())),
            Self::Int(a) => Some(xxh3_128(&a.as_primitive::<Int32Type>().value(i).to_le_bytes())),
        }
    }
}

/// Versions as numbers whose order is theirs.
fn versions(batch: &RecordBatch, name: &str) -> Result<Vec<i64>> {
    let array = column(batch, name)?;
    let small = |value: Option<i32>| value.map_or(NO_VERSION, i64::from);
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().iter().map(|v| v.unwrap_or(NO_VERSION)).collect()
        }
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|v| v.unwrap_or(NO_VERSION)).collect(),
        DataType::Int32 => array.as_primitive::<Int32Type>().iter().map(small).collect(),
        DataType::Date32 => array.as_primitive::<Date32Type>().iter().map(small).collect(),
        other => return Err(wrong_type(name, other)),
    })
}

impl RowSet {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// False when it was there already.
    pub fn insert(&mut self, rid: Rid) -> bool {
        let words = self.slices.entry(rid.slice()).or_default();
        let (word, bit) = place(rid);
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let new = words[word] & bit == 0;
        words[word] |= bit;
        self.len += usize::from(new);
        new
    }

    /// False when it was not there.
    pub fn remove(&mut self, rid: Rid) -> bool {
        let (word, bit) = place(rid);
        let Some(slot) = self.slices.get_mut(&rid.slice()).and_then(|words| words.get_mut(word)) else {
            return false;
        };
        let there = *slot & bit != 0;
        *slot &= !bit;
        self.len -= usize::from(there);
        there
    }

    pub fn contains(&self, rid: Rid) -> bool {
        let (word, bit) = place(rid);
        self.slices.get(&rid.slice()).and_then(|words| words.get(word)).is_some_and(|w| w & bit != 0)
    }

    /// In the order of slices and rows.
    pub fn iter(&self) -> impl Iterator<Item = Rid> + '_ {
        self.slices.iter().flat_map(|(slice, words)| {
            words.iter().zip(0u32..).flat_map(move |(word, at)| {
                (0..u64::BITS)
                    .filter(move |bit| word >> bit & 1 == 1)
                    .map(move |bit| Rid::new(*slice, at * u64::BITS + bit))
            })
        })
    }

    /// Sets of `n` rows each (the last may be smaller), in order.
    pub fn chunks(&self, n: usize) -> impl Iterator<Item = RowSet> + '_ {
        let mut rows = self.iter();
        std::iter::from_fn(move || {
            let chunk: RowSet = rows.by_ref().take(n.max(1)).collect();
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    /// The rows of one slice as ranges, ascending and apart.
    pub fn ranges(&self, slice: SliceNo) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let words = self.slices.get(&slice).map_or(&[][..], Vec::as_slice);
        for (at, word) in words.iter().enumerate().filter(|(_, w)| **w != 0) {
            for row in (0..64).filter(|bit| word >> bit & 1 == 1).map(|bit| at * 64 + bit) {
                match ranges.last_mut() {
                    Some(last) if last.end == row => last.end += 1,
                    _ => ranges.push(row..row + 1),
                }
            }
        }
        ranges
    }
}

impl FromIterator<Rid> for RowSet {
    fn from_iter<I: IntoIterator<Item = Rid>>(rids: I) -> Self {
        let mut rows = Self::default();
        rids.into_iter().for_each(|rid| {
            rows.insert(rid);
        });
        rows
    }
}

fn place(rid: Rid) -> (usize, u64) {
    (rid.row() as usize / 64, 1 << (rid.row() % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_row_set_behaves_as_a_plain_set() {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut rows, mut plain) = (RowSet::default(), BTreeSet::new());
        for _ in 0..20_000 {
            let rid = Rid::new(random.u32(1..4), random.u32(0..700));
            if random.u8(0..3) == 0 {
                assert_eq!(rows.remove(rid), plain.remove(&rid));
            } else {
                assert_eq!(rows.insert(rid), plain.insert(rid));
            }
            assert_eq!((rows.len(), rows.contains(rid)), (plain.len(), plain.contains(&rid)));
        }
        assert!(rows.iter().eq(plain.iter().copied()));
        let chunks: Vec<RowSet> = rows.chunks(100).collect();
        assert!(chunks.iter().rev().skip(1).all(|c| c.len() == 100));
        assert!(chunks.iter().flat_map(RowSet::iter).eq(rows.iter()));
        let from_ranges = (1..4).flat_map(|s| rows.ranges(s).into_iter().flatten().map(move |r| Rid::new(s, r as u32)));
        assert!(from_ranges.eq(rows.iter()));
    }
}
