//! What the user wrote: the pipeline file, its templates and its secrets.
//!
//! Takes TOML text, gives a [`model::Pipeline`] or *all* faults of the file at once, each with line, column and cure.
//! Never resolves a secret before it is used, never touches the network.

pub mod model;
pub mod secret;
pub mod template;
