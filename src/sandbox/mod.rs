//! The sandbox: vendors simulated on this machine, for demos, tests and benchmarks.
//!
//! Takes a [`Config`], gives an HTTP server on a loopback address that behaves as the vendor's documentation and
//! clients say, with seeded data and faults on demand. Never listens beyond this machine, never calls out, imports
//! nothing else of this crate, and is written from the vendor's facts, not from our client.
//!
//! `data`, `world` and `json` make records, `server`, `wire` and `faults` are the HTTP side of every vendor, `gateway` is
//! what the shop systems have in common; `jackyun` and `jushuitan` are vendors. One server plays them all; each owns its
//! paths.

mod data;
mod faults;
mod gateway;
mod jackyun;
mod json;
mod jushuitan;
mod kingdee;
mod server;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;
mod wire;
pub mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use faults::{Fault, FaultKind, SYNTAX as FAULT_SYNTAX, When};
pub use jackyun::{APP_KEY, APP_SECRET, Axis, FastSummary, METHOD, SEED_FIELDS, Truth};
pub use jushuitan::{
    ACCESS_TOKEN as JUSHUITAN_ACCESS_TOKEN, APP_KEY as JUSHUITAN_APP_KEY, APP_SECRET as JUSHUITAN_APP_SECRET, HasNext,
    JushuitanConfig, JushuitanTruth, PageSizeAbove, REFRESH_TOKEN as JUSHUITAN_REFRESH_TOKEN, Refreshing, Table,
    WindowCode,
};
pub use kingdee::{
    Book, Document as ErpDocument, Erp, Fields as ErpFields, KingdeeConfig, Line as ErpLine, Status as ErpStatus,
    Tally as ErpTally,
};

use jackyun::Jackyun;
use jushuitan::Jushuitan;
use server::{Served, Shared, Vendor};

/// How ids are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdStyle {
    #[default]
    Text,
    /// Bare numbers of 19 digits.
    Bare,
    /// Sometimes one, sometimes the other.
    Mixed,
}

/// The answer to a window without records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyStyle {
    /// An empty array.
    #[default]
    Array,
    /// `data` is `""`.
    Text,
    /// HTTP 200 without a body.
    Body,
}

/// The form of `data` in the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnvelopeStyle {
    #[default]
    Object,
    /// JSON text inside a string.
    Text,
}

/// What fast mode renders beforehand. Requests by cursor for exactly these fields (in any order), page size and
/// windows are answered from memory, at the speed of the loopback device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastSpec {
    /// The `fields` of the requests; must name `scrollId`.
    pub fields: String,
    pub page_size: u32,
    /// Windows of this length, from the first day's Beijing midnight on.
    pub slice_hours: u32,
    pub axis: Axis,
}

/// The simulated merchant and how the vendor treats it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The same seed gives the same data for ever.
    pub seed: u64,
    pub trades: u32,
    /// Creation times are spread evenly over `days` from this day's Beijing midnight on; no time but that of the
    /// order in the shop lies before, none but the promised time of shipment after.
    pub first_day: NaiveDate,
    pub days: u32,
    /// Plants bad records: 0.4 % of each kind.
    pub bad: bool,
    pub ids: IdStyle,
    /// Adds fields nobody declared.
    pub drift: bool,
    /// After the first page of a pull some of its trades get a new time of modification (now, by the server's clock):
    /// page numbers then lose rows, a cursor does not. A trade is modified once at most.
    pub modify_while_paging: bool,
    /// Trades created more than this many days before the newest are only under `isTableSwitch` 2; none: no archive.
    pub archive_after_days: Option<u32>,
    /// None: unlimited.
    pub calls_per_second: Option<f64>,
    /// Calls in all; none: unlimited.
    pub quota: Option<u64>,
    pub max_page_size: u32,
    pub empty_window: EmptyStyle,
    pub envelope: EnvelopeStyle,
    /// The server's clock minus ours.
    pub clock_offset: TimeDelta,
    pub clock_skew_allowed: TimeDelta,
    /// Of every vendor.
    pub faults: Vec<Fault>,
    pub fast: Option<FastSpec>,
    pub jushuitan: JushuitanConfig,
    pub kingdee: KingdeeConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 20_240_605,
            trades: 5_000,
            first_day: NaiveDate::from_ymd_opt(2024, 6, 1).unwrap_or_default(),
            days: 30,
            bad: false,
            ids: IdStyle::Text,
            drift: false,
            modify_while_paging: false,
            archive_after_days: None,
            calls_per_second: Some(1.0),
            quota: None,
            max_page_size: 200,
            empty_window: EmptyStyle::Array,
            envelope: EnvelopeStyle::Object,
            clock_offset: TimeDelta::zero(),
            clock_skew_allowed: TimeDelta::minutes(10),
            faults: Vec::new(),
            fast: None,
            jushuitan: JushuitanConfig::default(),
            kingdee: KingdeeConfig::default(),
        }
    }
}

impl Config {
    fn check(&self) -> io::Result<()> {
        let wrong = if self.days == 0 {
            "days must be at least 1"
        } else if self.max_page_size == 0 {
            "max_page_size must be at least 1"
        } else if self.calls_per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            "calls_per_second must be a positive number"
        } else if self.fast.as_ref().is_some_and(|fast| fast.slice_hours == 0 || fast.page_size == 0) {
            "fast mode needs slice_hours and page_size of at least 1"
        } else if [self.jushuitan.calls_per_second, self.jushuitan.calls_per_minute].contains(&Some(0)) {
            "Jushuitan's calls_per_second and calls_per_minute must be at least 1"
        } else {
            return Ok(());
        };
        Err(refusal(wrong))
    }
}

fn refusal(wrong: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("sandbox: {wrong}"))
}

/// The ERP of the company whose returns Jushuitan has: books closed as those expect, and somebody else's documents
/// under the numbers of some.
fn set_scene(erp: &Erp, config: &KingdeeConfig, truth: &JushuitanTruth) {
    if config.closed_until.is_none() {
        erp.close_until(truth.closed_until);
    }
    let other = [("FDate", "2020-01-01"), ("FRetcustId", "CUST030"), ("FHeadNote", "手工录入")];
    let line = [("FMaterialId", "SKU00399"), ("FRealQty", "99"), ("FStockId", "CK004")];
    for number in truth.conflicts.iter().map(|io_id| format!("XT{io_id}")) {
        // An ERP that was kept has them already.
        if erp.document(&number).is_none() {
            erp.seed_foreign(&number, &other, &[&line]);
        }
    }
}

/// How long [`Sandbox::stop`] waits for answers in flight.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A running sandbox; ends with [`Sandbox::stop`], or without waiting when dropped.
pub struct Sandbox {
    address: SocketAddr,
    jackyun: Arc<Jackyun>,
    jushuitan: Arc<Jushuitan>,
    erp: Arc<Erp>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Listens on `address` (port 0: any free one). Refuses an address that is not loopback, and a configuration
    /// that makes no sense, as [`io::ErrorKind::InvalidInput`]. With `fast`, returns when all pages are rendered.
    pub async fn start(config: Config, address: SocketAddr) -> io::Result<Sandbox> {
        if !address.ip().is_loopback() {
            return Err(refusal(&format!("{address} is not a loopback address; use 127.0.0.1 or [::1]")));
        }
        config.check()?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (faults, clock_offset) = (config.faults.clone(), config.clock_offset);
        let erp = Arc::new(Erp::new(config.kingdee.clone())?);
        let played = Arc::clone(&erp);
        let make = move || {
            let jushuitan = Jushuitan::new(&config);
            set_scene(&played, &config.kingdee, &jushuitan.truth());
            (Arc::new(jushuitan), Arc::new(Jackyun::new(config)))
        };
        let (jushuitan, jackyun) = tokio::task::spawn_blocking(make).await.map_err(io::Error::other)?;
        let (stop, stopped) = watch::channel(false);
        // The first one also answers for inspections that name no vendor.
        let vendors: [Arc<dyn Vendor>; 3] =
            [Arc::clone(&jackyun) as _, Arc::clone(&jushuitan) as _, Arc::clone(&erp) as _];
        let shared = Arc::new(Shared::new(vendors.map(Served::new).into(), clock_offset, stopped));
        shared.set_faults(&faults).map_err(|wrong| refusal(&wrong))?;
        let task = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(Sandbox { address, jackyun, jushuitan, erp, shared, stop, task })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of Jackyun's gateway.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, jackyun::PATH)
    }

    /// The base of Jushuitan's gateway, without a slash at its end.
    pub fn jushuitan_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base of Kingdee's server, with a slash at its end.
    pub fn kingdee_url(&self) -> String {
        format!("http://{}/k3cloud/", self.address)
    }

    /// Replaces the faults of every vendor; their call numbers count from now.
    ///
    /// # Panics
    /// If a fault names a vendor or an operation that does not exist: it could never happen.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        let set = self.shared.set_faults(&faults);
        assert_eq!(set, Ok(()));
    }

    /// Replaces the faults of one vendor, whatever vendor they name; their call numbers count from now.
    ///
    /// # Panics
    /// If there is no vendor of this name, or it does not have an operation that a fault names.
    pub fn set_vendor_faults(&self, name: &str, faults: Vec<Fault>) {
        let served = self.served(name);
        assert_eq!(faults.iter().find_map(|fault| served.refusal(fault)), None);
        served.set_faults(faults);
    }

    /// Requests to Jackyun's gateway, faults included.
    pub fn calls(&self) -> u64 {
        self.vendor_calls(self.jackyun.name())
    }

    /// Requests a vendor has seen, faults included.
    ///
    /// # Panics
    /// If there is no vendor of this name.
    pub fn vendor_calls(&self, name: &str) -> u64 {
        self.served(name).calls()
    }

    fn served(&self, name: &str) -> &Served {
        let served = self.shared.vendor(name);
        served.unwrap_or_else(|| panic!("the sandbox plays no vendor called {name:?}"))
    }

    /// What is true of the data: counts every trade, milliseconds for 100,000.
    pub fn truth(&self) -> Truth {
        self.jackyun.truth()
    }

    /// What is true of Jushuitan's data.
    pub fn jushuitan_truth(&self) -> JushuitanTruth {
        self.jushuitan.truth()
    }

    /// Jushuitan's access and refresh token, as they are.
    pub fn jushuitan_tokens(&self) -> (String, String) {
        self.jushuitan.tokens()
    }

    /// Jushuitan's access token is no longer valid; the refresh token is.
    pub fn expire_jushuitan_token(&self) {
        self.jushuitan.expire_token();
    }

    /// The simulated Kingdee ERP.
    pub fn erp(&self) -> Arc<Erp> {
        Arc::clone(&self.erp)
    }

    /// What fast mode has rendered.
    pub fn fast_summary(&self) -> Option<FastSummary> {
        self.jackyun.fast_summary()
    }

    /// Takes no more requests, finishes those in flight (for 5 seconds at most), and frees the port. An error says that
    /// it ended badly, or that documents of the ERP could not be kept.
    pub async fn stop(self) -> io::Result<()> {
        self.stop.send_replace(true);
        // The listener is closed when the time is out; a client that does not read its answer is not waited for.
        if let Ok(joined) = tokio::time::timeout(STOP_WITHIN, self.task).await {
            joined.map_err(io::Error::other)??;
        }
        self.erp.take_failure().map_or(Ok(()), Err)
    }
}
