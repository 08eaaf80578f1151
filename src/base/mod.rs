//! The nouns and the pure rules everything else is written in.
//!
//! Takes nothing, does no I/O, knows no vendor. A word here means the same in code, messages and docs.

pub mod clock;
pub mod error;
pub mod fault;
pub mod lifecycle;
pub mod names;
pub mod record;
pub mod retry;
pub mod value;

pub use error::{Advice, Error, Kind, Result};
pub use fault::Fault;
