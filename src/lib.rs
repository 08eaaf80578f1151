//! dukou (渡口): a ferry for business records.

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
