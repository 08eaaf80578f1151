//! Writes one slice as one Parquet file, whole or not at all.
//!
//! Takes pages, gives a finished file and its counts. The file appears under its name only when everything is on disk
//! (temporary name, fsync, rename); an abandoned writer leaves nothing. The state commit that makes the file visible to readers
//! is the caller's, and so is the decision which slices share records with this one ([`TwinSet`]).

use crate::base::record::{Page, SliceNo};
use crate::base::{Error, Result};
use crate::staging::decode::{Decoder, Origin};
use crate::staging::encode::Encoder;
use crate::staging::read::read_hashes;
use crate::staging::schema::{RID, TableDef};
use crate::staging::tally::FieldCount;
use crate::staging::text::Drop as DropFields;
use chrono::{DateTime, Utc};
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Rows of a row group: small enough that a narrowed read skips what it does not want, and that a writer's memory stays flat.
const ROW_GROUP_ROWS: usize = 4096;
/// Bytes of a row group: large records must not fill the memory.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// Prefix of files that are being written.
const TEMPORARY: &str = ".tmp-";
/// Row numbers are INTEGER columns.
const MAX_ROWS: u32 = i32::MAX as u32;

/// What one page brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageStats {
    pub records: u32,
    pub staged: u32,
    pub duplicates: u32,
}

/// A slice whose file is on disk under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedSlice {
    pub slice: SliceNo,
    /// File name within the folder it was written to.
    pub path: String,
    pub rows: u32,
    /// Records dropped because the same text stands in this slice or in a twin.
    pub duplicates: u64,
    /// Rows whose key is null or empty: mapped, and blocked there.
    pub missing_keys: u64,
    pub misfits: Vec<FieldCount>,
    pub drift: Vec<FieldCount>,
    /// Size of the file.
    pub bytes: u64,
    /// Of the file's bytes; see [`checksum`].
    pub checksum: String,
    /// 16 hex digits of SHA-256 over the hashes of the rows, in order.
    pub digest: String,
    /// Digest of the definition the file was typed by.
    pub ddl_digest: String,
    /// Least and greatest version: microseconds of a TIMESTAMP, days of a DATE, or the number.
    pub min_version: Option<i64>,
    pub max_version: Option<i64>,
}

/// Hashes of records that are staged already: slices share edges and overlap, so the same record comes twice.
#[derive(Debug, Default)]
pub struct TwinSet {
    hashes: HashSet<u64, BuildHasherDefault<Ready>>,
}

/// The keys are hashes already: taken as they are.
#[derive(Debug, Default)]
pub(super) struct Ready(u64);

impl Hasher for Ready {
    fn write(&mut self, bytes: &[u8]) {
        // Keys are u64 and u128; this is only for completeness.
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn write_u128(&mut self, key: u128) {
        self.0 = (key >> 64) as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

impl TwinSet {
    /// The records of these files; only `_hash` is read.
    pub fn load(files: &[PathBuf]) -> Result<Self> {
        let mut twins = Self::default();
        for file in files {
            read_hashes(file, |hash| {
                twins.hashes.insert(hash);
            })?;
        }
        Ok(twins)
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// False when it is there already.
    fn insert(&mut self, hash: u64) -> bool {
        self.hashes.insert(hash)
    }
}

/// Stages one slice.
#[derive(Debug)]
pub struct SliceWriter {
    file: SliceFileWriter,
    drop: DropFields,
    twins: TwinSet,
    duplicates: u64,
}

impl SliceWriter {
    /// Begins `<dir>/<table>-<slice>.parquet`. `drop` holds field patterns removed before anything is written.
    pub fn create(
        dir: &Path,
        def: &TableDef,
        key: &str,
        version: &str,
        slice: SliceNo,
        drop: &[String],
        twins: TwinSet,
    ) -> Result<Self> {
        let name = format!("{}-{slice:08}.parquet", def.name());
        let file = SliceFileWriter::create(dir, &name, def, key, version, slice)?;
        Ok(Self { file, drop: DropFields::new(drop), twins, duplicates: 0 })
    }

    /// Stages the records of a page that are not there yet. After an error the slice has to be begun anew.
    pub fn write_page(&mut self, page: &Page) -> Result<PageStats> {
        let mut stats = PageStats { records: 0, staged: 0, duplicates: 0 };
        for raw in page.raw_records() {
            stats.records += 1;
            let place = || format!("page {}, record {}", page.number, stats.records);
            let kept = self
                .drop
                .apply(raw)
                .map_err(|why| Error::protocol(format!("a record is not a JSON object: {why}")).context(place()))?;
            let hash = xxh3_64(kept.as_bytes());
            if !self.twins.insert(hash) {
                stats.duplicates += 1;
                continue;
            }
            self.file.push(&kept, page.number, page.fetched_at, hash).map_err(|e| e.context(place()))?;
            stats.staged += 1;
        }
        self.duplicates += u64::from(stats.duplicates);
        Ok(stats)
    }

    /// Rows so far.
    pub fn rows(&self) -> u32 {
        self.file.rows
    }

    /// Puts everything on disk and the file under its name.
    pub fn finish(self) -> Result<StagedSlice> {
        self.file.finish(self.duplicates)
    }
}

/// One file of rows in the making: what [`SliceWriter`] and a retype have in common.
#[derive(Debug)]
pub(super) struct SliceFileWriter {
    temporary: Temporary,
    name: String,
    slice: SliceNo,
    ddl_digest: String,
    decoder: Decoder,
    encoder: Encoder,
    rows: u32,
    digest: Sha256,
}

/// A file that is removed unless it was kept.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing to do about a failure here: orphans are removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl SliceFileWriter {
    pub(super) fn create(
        dir: &Path,
        name: &str,
        def: &TableDef,
        key: &str,
        version: &str,
        slice: SliceNo,
    ) -> Result<Self> {
        let decoder = Decoder::new(def, key, version)?;
        std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, &e))?;
        let path = dir.join(format!("{TEMPORARY}{}-{name}", std::process::id()));
        let file = File::create(&path).map_err(|e| Error::io(&path, &e))?;
        let temporary = Temporary { path, kept: false };
        let encoder = Encoder::start(file, &temporary.path, def.file_schema(), properties())?;
        Ok(Self {
            temporary,
            name: name.to_string(),
            slice,
            ddl_digest: def.digest().to_string(),
            decoder,
            encoder,
            rows: 0,
            digest: Sha256::new(),
        })
    }

    pub(super) fn push(&mut self, raw: &str, page: u32, fetched_at: DateTime<Utc>, hash: u64) -> Result<()> {
        if self.rows >= MAX_ROWS || page > MAX_ROWS {
            return Err(
                Error::local("a slice holds at most 2,147,483,647 rows").hint("make [source.window] slice shorter")
            );
        }
        self.decoder.push(raw, Origin { slice: self.slice, row: self.rows, page, fetched_at, hash })?;
        self.rows += 1;
        self.digest.update(hash.to_le_bytes());
        if self.decoder.is_full() { self.write_batch() } else { Ok(()) }
    }

    fn write_batch(&mut self) -> Result<()> {
        match self.decoder.take_batch()? {
            Some(batch) => self.encoder.write(batch),
            None => Ok(()),
        }
    }

    pub(super) fn finish(mut self, duplicates: u64) -> Result<StagedSlice> {
        self.write_batch()?;
        let Self { mut temporary, name, slice, ddl_digest, decoder, encoder, rows, digest } = self;
        let path = temporary.path.clone();
        let dir = path.parent().unwrap_or(Path::new("."));
        let file = encoder.finish()?;
        file.sync_all().map_err(|e| Error::io(&path, &e))?;
        let bytes = file.metadata().map_err(|e| Error::io(&path, &e))?.len();
        drop(file);
        let checksum = checksum(&path)?;
        sync_dir(dir)?;
        let target = dir.join(&name);
        std::fs::rename(&path, &target).map_err(|e| Error::io(&target, &e))?;
        temporary.kept = true;
        sync_dir(dir)?;
        Ok(StagedSlice {
            slice,
            path: name,
            rows,
            duplicates,
            missing_keys: decoder.missing_keys(),
            misfits: decoder.misfits(),
            drift: decoder.drift(),
            bytes,
            checksum,
            digest: hex::encode(&digest.finalize()[..8]),
            ddl_digest,
            min_version: decoder.versions().map(|v| v.0),
            max_version: decoder.versions().map(|v| v.1),
        })
    }
}

/// XXH3-128 over the bytes of a file, as 32 hex digits. Parquet's own pages carry no checksum here, and a flipped bit in a
/// quantity would otherwise be delivered as it is.
pub fn checksum(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|e| Error::io(path, &e))?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer).map_err(|e| Error::io(path, &e))?;
        if read == 0 {
            return Ok(format!("{:032x}", hasher.digest128()));
        }
        hasher.update(&buffer[..read]);
    }
}

fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| Error::io(dir, &e))
}

fn properties() -> WriterProperties {
    // Rows are found by their number, so statistics serve outside readers only: the row id is enough to tell files apart.
    // Dictionaries cost more than they save on columns that are mostly distinct, as these are.
    WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(ColumnPath::from(RID), EnabledStatistics::Chunk)
        .set_dictionary_enabled(false)
        .build()
}

/// Removes what dead runs left in `dir`: files being written, and finished ones that no commit names (`known` holds file names).
/// Only files with our naming pattern are touched. Call it while nothing is being staged there.
pub fn remove_orphans(dir: &Path, known: &HashSet<String>) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(removed),
        Err(e) => return Err(Error::io(dir, &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(dir, &e))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let orphan = is_temporary(name) || (is_slice(name) && !known.contains(name));
        if orphan && entry.file_type().map_err(|e| Error::io(dir, &e))?.is_file() {
            std::fs::remove_file(entry.path()).map_err(|e| Error::io(&entry.path(), &e))?;
            removed.push(entry.path());
        }
    }
    removed.sort();
    Ok(removed)
}

/// Does a folder hold finished slices?
pub fn holds_slices(dir: &Path) -> Result<bool> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.any(|e| e.is_ok_and(|e| e.file_name().to_str().is_some_and(is_slice)))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(dir, &e)),
    }
}

/// `.tmp-<process>-<table>-<slice>.parquet`
fn is_temporary(name: &str) -> bool {
    let rest = name.strip_prefix(TEMPORARY).and_then(|rest| rest.split_once('-'));
    rest.is_some_and(|(process, file)| digits(process, 1) && is_slice(file))
}

/// `<table>-<slice>.parquet`, or `<table>-<slice>-<n>.parquet` after a retype.
fn is_slice(name: &str) -> bool {
    let Some((table, numbers)) = name.strip_suffix(".parquet").and_then(|stem| stem.split_once('-')) else {
        return false;
    };
    let word = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_alphanumeric() || c == '_');
    word(table)
        && match numbers.split_once('-') {
            Some((slice, n)) => digits(slice, 8) && digits(n, 1),
            None => digits(numbers, 8),
        }
}

fn digits(text: &str, at_least: usize) -> bool {
    text.len() >= at_least && text.bytes().all(|b| b.is_ascii_digit())
}
