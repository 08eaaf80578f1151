//! The one integration binary: everything that needs more than one module, a server or a file system.

mod audit;
mod authoring;
mod bad_disk;
mod bad_input;
mod bad_support;
mod bad_target;
mod campaign;
mod jushuitan_source;
mod kingdee_sdk;
mod layers;
mod returns;
mod sinks;
mod support;
mod support_project;
