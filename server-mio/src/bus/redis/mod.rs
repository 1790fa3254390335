//! A bus over Redis or Valkey: `PUBLISH` and `SUBSCRIBE` on one connection, by RESP3 (redis.io, "Redis serialization protocol
//! specification"). Nothing is kept there: no key, no script.

mod connect;
mod link;
mod resp;

pub(crate) use connect::try_out;
pub use link::{BusSettings, RedisBus};
