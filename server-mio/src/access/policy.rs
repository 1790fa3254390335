//! Who may come in: the questions that the loop asks, for settings to answer.

use crate::access::origins::AllowOrigin;
use crate::http::{HttpRefusal, HttpRequest};
use peerpigeon_core::{AddressKey, Grant, Time, UnixMillis};
use std::net::SocketAddr;

/// Asked by the loop about every socket and every request. The answers given here let everybody in.
pub trait AccessPolicy {
    /// Whether a socket that was just accepted may stay; else it is closed without a word.
    fn admits(&mut self, now: Time, remote: Option<SocketAddr>) -> bool {
        let _ = (now, remote);
        true
    }

    /// Judges a well-formed request, a WebSocket handshake or not, before it is answered; says what whoever sent
    /// it may do as a peer. Rates are measured by `now`; `wall` is for what has a date.
    ///
    /// # Errors
    ///
    /// The answer that refuses it.
    fn judge(
        &mut self,
        now: Time,
        wall: UnixMillis,
        remote: Option<SocketAddr>,
        request: &HttpRequest<'_>,
        purpose: Purpose,
    ) -> Result<Grant, HttpRefusal> {
        let _ = (now, wall, remote, request, purpose);
        Ok(Grant::ANY)
    }

    /// Whom a WebSocket connection counts against; `None` where no limit per address applies.
    fn address_key(&self, remote: Option<SocketAddr>, request: &HttpRequest<'_>) -> Option<AddressKey> {
        let _ = (remote, request);
        None
    }

    /// The CORS header for a request from `origin`; `None` also where a request could not be read.
    fn cors<'b>(&'b self, origin: Option<&'b str>) -> AllowOrigin<'b> {
        let _ = origin;
        AllowOrigin::Always("*")
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A page, or a preflight for anything.
    Http,
    /// The page that says whether the server is well.
    Health,
    /// Signaling without a WebSocket.
    Signaling,
    /// A WebSocket.
    WebSocket,
}

/// Lets everybody in, from everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl AccessPolicy for AllowAll {}
