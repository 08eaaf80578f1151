//! The commands: what was typed becomes a call, what came of it becomes text and an exit code.

pub mod args;
pub mod completions;
pub mod render;
pub mod sql;
pub mod status;
pub mod trace;
