//! Dialect PSP: pages that name themselves, their network and their room in every message.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod identity;
mod load;
mod messages;
mod page;
