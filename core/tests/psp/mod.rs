//! Dialect PSP: pages that name themselves, their network and their room in every message.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "shared by several test crates")]

mod identity;
mod load;
mod messages;
mod page;
mod store;
