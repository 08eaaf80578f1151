//! What the user wrote: the pipeline file, its templates and its secrets.
//!
//! Takes TOML text, gives a [`model::Pipeline`] or *all* faults of the file at once, each with line, column and cure.
//! Never resolves a secret before it is used, never touches the network.

pub mod duration;
pub mod folder;
#[cfg(test)]
mod jushuitan_tests;
mod kingdee;
#[cfg(test)]
mod kingdee_tests;
pub mod model;
mod params;
pub mod pipeline;
#[cfg(test)]
mod pipeline_tests;
pub mod places;
mod reader;
pub mod secret;
mod settings;
mod sink;
mod source;
pub mod template;
pub mod vocabulary;
