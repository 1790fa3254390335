//! The only system calls of the loop, behind two traits: [`Net`] for sockets, [`Host`] for clocks and the process.
//!
//! Owns listeners and streams, TLS and the PROXY protocol, which both lie between them and the loop, and what the
//! system says of the process. [`MioNet`] is the real one; a simulator brings its own.

mod arrivals;
mod control;
#[cfg(feature = "dial")]
pub(crate) mod dial;
mod heap;
mod host;
mod incomplete;
mod listening;
mod machine;
mod mio_net;
pub(crate) mod place;
mod proc_files;
mod proxy_protocol;
mod sessions;
mod sockets;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
#[cfg(feature = "dial")]
mod wire;

pub use control::ControlHandle;
#[cfg(feature = "dial")]
pub(crate) use dial::DialError;
pub use host::{Host, Process};
pub use mio_net::{MioNet, MioSocket};
pub(crate) use place::Place;
pub use sockets::{Accepted, ListenerKind, Net, Ready};
pub use stream::{Dialed, Inherited};
pub use tls::Certificate;
#[cfg(feature = "dial")]
pub(crate) use wire::Wire;

pub(crate) use control::Control;
pub(crate) use proc_files::monotonic_micros;
pub(crate) use sessions::TLS_BUFFER_BYTES;
#[cfg_attr(not(feature = "dial"), expect(unused_imports, reason = "nobody connects"))]
pub(crate) use tls::ClientTls;
pub(crate) use tls::{check_authorities, unverified};
