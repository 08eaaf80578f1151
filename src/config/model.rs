//! A pipeline as it is meant: checked, with defaults filled in. Made by `config::pipeline`, read by everybody.

use crate::base::clock::Wall;
use crate::config::secret::Setting;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// One file in `pipelines/`.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// File name without `.toml`.
    pub name: String,
    pub path: PathBuf,
    /// The folder that holds `pipelines/`, `sql/` and `data/`; relative paths start here.
    pub root: PathBuf,
    pub description: String,
    pub source: Source,
    pub mapping: Mapping,
    /// Name → reference table for `lookup(name, column, key)`.
    pub lookups: BTreeMap<String, Lookup>,
    pub sink: Sink,
}

#[derive(Debug, Clone)]
pub struct Source {
    pub connector: SourceConnector,
    /// The vendor's method, as `oms.trade.fullinfoget`.
    pub method: String,
    /// Staging table; its DDL is `sql/staging/<table>.sql`.
    pub table: String,
    /// Field of the record that identifies it.
    pub key: String,
    /// Field that tells a newer version of a record from an older one.
    pub version: String,
    pub url: Setting,
    pub app_key: Setting,
    pub app_secret: Setting,
    pub access_token: Option<Setting>,
    /// Jushuitan: what a new access token is asked with when the old one has expired.
    pub refresh_token: Option<Setting>,
    /// The vendor's own request parameters, in file order, templates unresolved.
    pub params: Vec<(String, ParamValue)>,
    pub window: Window,
    pub history: Option<History>,
    pub limits: Limits,
    /// Fields (a trailing `*` matches any rest) removed before anything is written.
    pub drop: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceConnector {
    Jackyun,
    Jushuitan,
}

/// A parameter's value as written; text may hold templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamValue {
    Text(String),
    Integer(i64),
    Bool(bool),
    List(Vec<ParamValue>),
}

/// `[source.window]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Length of a slice; the vendor's maximum is checked. Default 1 d.
    pub slice: Duration,
    /// Fetched again before the covered interval's end, for late commits at the vendor. Default 5 min.
    pub overlap: Duration,
    /// Not fetched yet before "now", for records still being written. Default 60 s.
    pub settle: Duration,
    /// Records per page. Default: the connector's maximum.
    pub page_size: u32,
    /// Where the first run begins when no `--from` is given.
    pub start: Option<Wall>,
}

/// `[source.history]`: the time that does not change while a history is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Jackyun: `created` (startCreated/endCreated) or `consign` (startConsignTime/endConsignTime); Jushuitan: `io_date`
    /// (date_type 2).
    pub axis: String,
    /// Jackyun `isTableSwitch`: 1 daily tables, 2 archived; several are pulled one after the other. Else empty.
    pub table_switches: Vec<i64>,
}

/// `[source.limits]`: a limit on everything, unit in the name.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Our own budget; default the vendor's published rate (Jackyun 1).
    pub calls_per_second: f64,
    /// The same over a minute, where the vendor counts that too (Jushuitan 100).
    pub calls_per_minute: Option<u32>,
    /// One request, from connect to last byte. Default 60 s.
    pub request_timeout: Duration,
    /// A larger answer is refused. Default 64 MiB.
    pub max_page_bytes: usize,
    /// Pages of one pull; beyond that the pager is called endless. Default 10 000.
    pub max_pages: u32,
}

#[derive(Debug, Clone)]
pub struct Mapping {
    /// The mapping's SELECT, relative to `sql/`.
    pub sql: PathBuf,
    /// `$name` in the SELECT; always text, cast in SQL where needed.
    pub params: BTreeMap<String, String>,
    pub scope: Scope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Each document comes from one record (default): rows are mapped for the records a run touches.
    #[default]
    Touched,
    /// Documents aggregate over several records: every run maps all newest versions.
    All,
}

/// `[lookup.<name>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// CSV (with header) or Parquet file, relative to `sql/`.
    pub file: PathBuf,
    pub format: LookupFormat,
    /// Column that `lookup` searches.
    pub key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupFormat {
    Csv,
    Parquet,
}

#[derive(Debug, Clone)]
pub struct Sink {
    pub connector: SinkConnector,
    /// Says in other words than connector + server + database + main table which target this is.
    pub target_id: Option<String>,
    /// Document field that carries the key, where the body has one; `_key` must agree with it.
    pub key_field: Option<String>,
    /// Documents per batch. Default 500.
    pub batch_docs: usize,
    /// Batches under way at once. Default 2.
    pub in_flight: usize,
    /// How long a lost request may still be running at the other side. Default 180 s.
    pub in_doubt_wait: Duration,
    /// SQL file of the target contract or target DDL, relative to `sql/`.
    pub contract: Option<PathBuf>,
    /// Fields that may be empty lists although lines are expected.
    pub allow_empty: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum SinkConnector {
    MySql { url: Setting, statements: Statements },
    Sqlite { path: Setting, statements: Statements },
    File { path: Setting },
    Kingdee(Box<Kingdee>),
}

/// 金蝶云星空: `[sink]` with `connector = "kingdee"`.
#[derive(Debug, Clone)]
pub struct Kingdee {
    /// The base address, ending in `/k3cloud/`.
    pub url: Setting,
    /// 账套: the data centre's id.
    pub acct_id: Setting,
    pub username: Setting,
    pub app_id: Setting,
    pub app_secret: Setting,
    /// 2052 simplified Chinese (default), 1033 English, 3076 traditional.
    pub lcid: u32,
    /// Number of the organisation, signed but not checked by the server. Default `0`.
    pub org_num: String,
    pub auth: KingdeeAuth,
    /// 业务对象表单 Id, as `SAL_RETURNSTOCK`.
    pub form: String,
    pub operation: KingdeeOperation,
    /// Options beside `Model`, by the API's names, in file order.
    pub options: Vec<(String, OptionValue)>,
    /// Header fields that prove a document ours, as `FDate` or `FRetcustId.FNumber`.
    pub verify: Vec<String>,
    /// The entry whose lines are counted after a save, as `FEntity`.
    pub entry: Option<String>,
    /// One call, from connect to last byte. Default 180 s.
    pub request_timeout: Duration,
    /// A larger answer is refused. Default 64 MiB.
    pub max_answer_bytes: usize,
}

/// How the calls prove who makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KingdeeAuth {
    /// Every request is signed; no login.
    #[default]
    Signature,
    /// LoginByAppSecret once, then its session.
    AppSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KingdeeOperation {
    /// One document per call.
    Save,
    #[default]
    BatchSave,
}

/// Value of an option beside `Model`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<OptionValue>),
}

/// `main_sql`, `extend_sql_1` … as their users know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statements {
    pub main_sql: String,
    /// (K, `extend_sql_K`), ascending.
    pub extends: Vec<(u32, String)>,
    /// How ids of the main rows are obtained; `auto` looks at the server.
    pub insert_ids: InsertIds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InsertIds {
    #[default]
    Auto,
    /// `INSERT … RETURNING` (MariaDB ≥ 10.5).
    Returning,
    /// First id + n × `@@auto_increment_increment` (Oracle MySQL, plain VALUES inserts).
    Consecutive,
    /// One row per statement.
    OneByOne,
}
