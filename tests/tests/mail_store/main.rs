//! The mail store: a real PostgreSQL, and those who use it.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "what is unexpected ends a test")]

mod check;
mod engine;
mod keeping;
mod losing;
mod program;
mod restart;
mod schema;
