//! TLS 1.2 and 1.3: the settings `TLS_CERT` and `TLS_KEY`.
//!
//! `rustls` is driven by its unbuffered interface: records are decrypted where they were read to, in a buffer that
//! all connections share, so an idle connection owns no buffer of its own.

mod certificate;
mod client;
mod pem;
mod session;
#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub(crate) use certificate::TlsConfig;
pub(crate) use client::{ClientTls, check_authorities, unverified};
pub(super) use session::{Scratch, TlsSession};
