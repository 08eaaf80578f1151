//! What the author of a mapping meets: `check` before anything runs, documents to look at, records that fail alone, and every
//! screen on the way. The real binary, the sandbox in this process.

mod check;
mod mapped;
mod returns;
mod returns_files;
mod screens;
mod vendor;
