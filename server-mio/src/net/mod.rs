//! The only system calls of the loop, behind the trait [`Net`].
//!
//! Owns listeners and streams, TLS and the PROXY protocol, which both lie between them and the loop, and what the
//! system says of the process. [`MioNet`] is the real one; a simulator brings its own.

mod arrivals;
mod control;
mod heap;
mod incomplete;
mod listening;
mod mio_net;
mod proc_files;
mod proxy_protocol;
mod sessions;
mod sockets;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;

pub use control::StopHandle;
pub use mio_net::{MioNet, MioSocket};
pub use sockets::{Accepted, Door, Net, Process, Ready};
pub use stream::Inherited;
pub use tls::Certificate;

pub(crate) use proc_files::monotonic_micros;
pub(crate) use sessions::TLS_BUFFER_BYTES;
pub(crate) use tls::unverified;
