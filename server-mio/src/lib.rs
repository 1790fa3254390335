//! The PeerPigeon signaling server as a library: an event loop, HTTP/1.1 and WebSockets around
//! [`peerpigeon_core::Switchboard`].
//!
//! Everything between two system calls is deterministic: [`Server`] is generic over [`Net`], which is the
//! real network ([`MioNet`]) or a simulated one.
//!
//! ```
//! use peerpigeon_core::UnixMillis;
//! use peerpigeon_server::{Config, Door, MioNet, OpenGate, Server};
//! use std::io::{Read, Write};
//! use std::net::{SocketAddr, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let net = MioNet::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))])?;
//! let (addresses, stop) = (net.local_addresses(Door::Public)?, net.stop_handle());
//! let boot = UnixMillis(1_700_000_000_000);
//! let server = std::thread::spawn(move || {
//!     Server::new(net, Config::default(), Box::new(OpenGate), boot).run()
//! });
//!
//! let mut client = TcpStream::connect(addresses[0])?;
//! client.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.contains(r#""status":"healthy""#));
//!
//! stop.stop()?;
//! server.join().expect("the server does not panic")?;
//! # Ok(())
//! # }
//! ```

pub mod access;
pub mod addresses;
mod arrivals;
pub mod calendar;
mod config;
pub mod container;
pub mod descriptors;
mod gate;
mod guard;
pub mod healthcheck;
mod heap;
pub mod http;
pub mod jwt;
mod listening;
pub mod logging;
mod meter;
mod mio_net;
mod net;
pub mod origins;
mod overseer;
pub mod per_address;
mod proc_files;
mod proxy_protocol;
pub mod reload;
mod rereading;
mod seldom;
mod server;
pub mod settings;
pub mod signals;
mod stream;
pub mod systemd;
mod tally;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
pub mod websocket;
mod worst_case;

pub use config::Config;
pub use gate::{Gate, OpenGate, Purpose};
pub use guard::Guard;
pub use meter::{FrameKind, Frames, Histogram, Meter};
pub use mio_net::{MioNet, MioSocket, StopHandle};
pub use net::{Accepted, Door, Net, Process, Ready};
pub use overseer::Overseer;
pub use rereading::Rereading;
pub use server::Server;
pub use stream::Inherited;
pub use tally::Tally;
pub use tls::Certificate;
pub use worst_case::WorstCase;
