//! dukou (渡口): a ferry for business records.
//!
//! # The problem
//! Records live in one company system and are wanted in another. Pages of the vendor's API move while they are read, replies
//! get lost, an ERP saves half a batch, and a doubled bill is worse than a late one. dukou carries each record across
//! exactly once and can say afterwards where every document came from and what became of it.
//!
//! # The map, in the order of the data
//! ```text
//!             source               staging                 mapping                sink
//!  vendor API -------> page (JSON) -------> Parquet slice -------> documents -------> outcome per document
//!                         \______________________ state (SQLite) ______________________/
//! ```
//! - [`base`]: nouns and pure rules; [`base::lifecycle`] is the table everything obeys
//! - [`config`]: the pipeline file, templates, secrets · [`net`]: requests and replies
//! - [`state`]: what is true after a crash · [`exchange`]: what was sent and answered
//! - [`source`]: a vendor's protocol without I/O, and the one driver · [`staging`]: JSON to Parquet, and what SQL sees
//! - [`mapping`]: one SELECT, each row a document · [`sink`]: targets, and the delivery loop
//! - [`run`]: where these four meet · [`audit`]: trace, status, SQL · [`cli`]: commands and screens
//! - [`sandbox`]: the vendors, played; imports nothing else of this crate
//!
//! `cli` > `audit` > `run` > `source | staging | mapping | sink` (which never see each other) > `config | net | state |
//! exchange` > `base`. `tests/it/layers.rs` holds this, and the one door of each big dependency.
//!
//! # Invariants
//! - Identity of a delivery = (target, key). The key comes from the business, never from position or time.
//! - An intent is durable before anything is sent; request and answer are durable before the outcome is.
//! - A slice is sealed whole or not at all; readers see sealed slices only. Coverage *is* the set of sealed slices.
//! - A document leaves a run in exactly one state; the books of a run balance or the run is broken.
//! - No float touches a quantity or an amount; no secret is ever `Debug`.
//!
//! # Where this differs from the first design, and why
//! - `dukou_delivery` rows are inserted *last* before COMMIT, not first: so they hold the target's own id of the main row,
//!   which a lost reply would otherwise lose. The primary key decides as before; every 1062 is looked up before it is
//!   believed to be the user's.
//! - Request and answer are kept in [`exchange`], a module of its own between `state` and the layers that write and read it.
//! - There is no table of coverage: it is derived from the sealed slices.
//! - A sink that refuses doubles by itself (both databases, the file) needs no waiting before a document in doubt is sent again.
//! - A sink answers with receipts: the outcome of each document and every request and answer on the way, because one document
//!   may need several (save, query, submit, audit). A question carries the document, because an ERP keeps no digest.
//! - An intent is written when its request starts, not when its chunk is admitted: a crash leaves only what was under way in doubt.
//!   How long a lost request may still run is counted from the last sign of life of the run that lost it.
//! - Renewed Jushuitan tokens are kept in the workspace (`tokens/`, readable by its owner only): the one file with a secret.

pub mod audit;
pub mod base;
pub mod cli;
pub mod config;
pub mod exchange;
pub mod mapping;
pub mod net;
pub mod run;
pub mod sandbox;
pub mod sink;
pub mod source;
pub mod staging;
pub mod state;
