//! The PeerPigeon signaling server as a library: an event loop, HTTP/1.1 and WebSockets around
//! [`peerpigeon_core::Switchboard`].
//!
//! Everything between two system calls is deterministic: [`Server`] is generic over [`Net`], which is the
//! real network ([`MioNet`]) or a simulated one.
//!
//! ```
//! use peerpigeon_core::UnixMillis;
//! use peerpigeon_server::{AllowAll, Config, ListenerKind, MioNet, Server};
//! use std::io::{Read, Write};
//! use std::net::{SocketAddr, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let net = MioNet::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))])?;
//! let (addresses, control) = (net.local_addresses(ListenerKind::Public)?, net.control_handle());
//! let boot = UnixMillis(1_700_000_000_000);
//! let server = std::thread::spawn(move || {
//!     Server::new(net, Config::default(), Box::new(AllowAll), boot)?.run()
//! });
//!
//! let mut client = TcpStream::connect(addresses[0])?;
//! client.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.contains(r#""status":"healthy""#));
//!
//! control.stop()?;
//! server.join().expect("the server does not panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! [`AllowAll`] lets everybody in. Who wants to choose answers the loop's questions:
//!
//! ```
//! use peerpigeon_core::{Grant, Time, UnixMillis};
//! use peerpigeon_server::http::{HttpRefusal, HttpRequest, Status};
//! use peerpigeon_server::{AccessPolicy, Config, MioNet, Purpose, Server};
//! use std::net::SocketAddr;
//!
//! /// Signaling is for pages of one site.
//! struct OneSite;
//!
//! impl AccessPolicy for OneSite {
//!     fn judge(
//!         &mut self,
//!         _now: Time,
//!         _wall: UnixMillis,
//!         _remote: Option<SocketAddr>,
//!         request: &HttpRequest<'_>,
//!         purpose: Purpose,
//!     ) -> Result<Grant, HttpRefusal> {
//!         match purpose {
//!             Purpose::Http | Purpose::Health => Ok(Grant::ANY),
//!             Purpose::Signaling | Purpose::WebSocket if request.origin() == Some("https://example.com") => {
//!                 Ok(Grant::ANY)
//!             }
//!             Purpose::Signaling | Purpose::WebSocket => {
//!                 Err(HttpRefusal::new(Status::Forbidden, "Only for pages of https://example.com"))
//!             }
//!         }
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let net = MioNet::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))])?;
//! net.control_handle().stop()?;
//! let mut server = Server::new(net, Config::default(), Box::new(OneSite), UnixMillis(0))?;
//! server.run()?;
//! assert_eq!((server.sockets(), server.peer_counters().messages()), (0, 0));
//! # Ok(())
//! # }
//! ```
//!
//! Beside these there are the [`settings`] of the program, for those who want the same names, and the codecs of
//! [`http`] and [`websocket`] by themselves.

mod access;
mod bus;
pub mod http;
mod net;
mod observe;
mod program;
mod server;
mod store;
pub mod websocket;

pub use access::{AccessPolicy, AddressList, AllowAll, AllowOrigin, ConfiguredPolicy, Purpose, Tokens};
#[cfg(feature = "cluster")]
pub use bus::redis::{BusSettings, RedisBus};
pub use bus::{BUS_KEY, Bus, BusCounters, BusEvent, BusUrl, BusUrls};
pub use net::{
    Accepted, Certificate, ControlHandle, Dialed, Host, Inherited, ListenerKind, MioNet, MioSocket, Net,
    Process, Ready,
};
pub use observe::{FrameKind, Frames, Histogram, LoopCounters, PeerCounters};
pub use program::{run, settings};
pub use server::{Config, Server};
#[cfg(feature = "postgres")]
pub use store::postgres::PostgresStore;
pub use store::{
    MailStore, OwnedAnswer, QuestionKind, QuestionOutcome, STORE_KEY, StoreCounters, StoreEvent, StoreUrl,
};
