//! The one integration binary: everything that needs more than one module, a server or a file system.

mod audit;
mod campaign;
mod layers;
mod sinks;
mod support;
