//! The tables of the state store, as SQL. One commit = one transaction; nothing here is ever edited by hand.
//!
//! What a crash may leave: open slices (no file is trusted), `intended` deliveries (which *are* unknown), runs without
//! an end. Everything else is true as written.

/// Raised when a table changes shape; an older workspace is migrated, a newer one refused.
pub const VERSION: i64 = 2;

/// What brings an older workspace to the next version: the first line brings version 1 to 2.
pub const MIGRATIONS: [&str; 1] = ["ALTER TABLE run ADD COLUMN alive_at TEXT"];

pub const TABLES: &str = "
CREATE TABLE run (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline   TEXT NOT NULL,
  command    TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at   TEXT,
  exit_code  INTEGER,
  report     TEXT,                     -- the report as JSON
  alive_at   TEXT                      -- last sign of life while delivering
);
-- One row per thing asked of a vendor. Coverage is derived from its sealed slices: there is no second truth.
CREATE TABLE source (
  id          INTEGER PRIMARY KEY,
  account     TEXT NOT NULL,           -- connector, method, hashed application key
  table_name  TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE     -- account, method, params, fields
);
CREATE TABLE slice (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- the slice number; never reused
  source_id  INTEGER NOT NULL REFERENCES source(id),
  run_id     INTEGER NOT NULL REFERENCES run(id),
  axis       TEXT NOT NULL,            -- 'modified', 'created/1' …, 'adhoc'
  from_wall  TEXT,
  to_wall    TEXT,
  asked      TEXT NOT NULL,            -- command line parameters of an ad-hoc slice
  file       TEXT,                     -- NULL until sealed
  ddl_digest TEXT,
  checksum   TEXT,                     -- of the file's bytes: Parquet pages have none of their own
  pages      INTEGER,
  fetched    INTEGER,
  staged     INTEGER,
  duplicates INTEGER,
  announced  INTEGER,                  -- records the vendor said there are, if it did
  digest     TEXT,                     -- over the pages' record texts
  remarks    TEXT,                     -- misfits and drift as JSON
  sealed_at  TEXT
);
CREATE INDEX slice_by_source ON slice (source_id, axis);
-- Slices whose every row a pipeline has mapped and settled or accounted for.
CREATE TABLE slice_done (
  pipeline  TEXT NOT NULL,
  target_id INTEGER NOT NULL,            -- a new target gets everything
  slice_id  INTEGER NOT NULL REFERENCES slice(id),
  PRIMARY KEY (pipeline, target_id, slice_id)
) WITHOUT ROWID;
CREATE TABLE target (
  id           INTEGER PRIMARY KEY,
  identity     TEXT NOT NULL UNIQUE
);
CREATE TABLE mapping (
  id     INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  sql    TEXT NOT NULL
);
-- The ledger. Identity of a delivery = (target, key).
CREATE TABLE delivery (
  target_id  INTEGER NOT NULL,
  key        TEXT NOT NULL,
  digest     BLOB NOT NULL,
  state      INTEGER NOT NULL,
  version    INTEGER,
  rid        INTEGER NOT NULL,
  remote     TEXT,
  mapping_id INTEGER NOT NULL,
  run_id     INTEGER NOT NULL,
  PRIMARY KEY (target_id, key)
) WITHOUT ROWID;
CREATE INDEX delivery_open ON delivery (target_id, state) WHERE state NOT IN (7, 8, 13);
-- Why a delivery is not where it should be; gone once it is.
CREATE TABLE reason (
  target_id INTEGER NOT NULL,
  key       TEXT NOT NULL,
  code      TEXT NOT NULL,
  text      TEXT NOT NULL,
  field     TEXT,
  PRIMARY KEY (target_id, key)
) WITHOUT ROWID;
-- Rows that must not be sent, by the record they come from; gone once the record maps.
CREATE TABLE blocked (
  pipeline TEXT NOT NULL,
  rid      INTEGER NOT NULL,
  key      TEXT,
  code     TEXT NOT NULL,
  text     TEXT NOT NULL,
  field    TEXT,
  run_id   INTEGER NOT NULL,
  PRIMARY KEY (pipeline, rid)
) WITHOUT ROWID;
-- Rows in scope that the mapping left out, by the run that last mapped them.
CREATE TABLE unmapped (
  pipeline TEXT NOT NULL,
  rid      INTEGER NOT NULL,
  run_id   INTEGER NOT NULL,
  PRIMARY KEY (pipeline, rid)
) WITHOUT ROWID;
";
