//! The delivery loop against a target that loses replies, refuses documents, saves without auditing and goes away.

mod bench;
mod chance;
mod doubt;
mod erp;
mod way;
