//! In place of `tls.rs` in a build without the feature `tls`: nothing here can exist.

use crate::net::control::ControlHandle;
use crate::net::stream::Stream;
use crate::program::settings::Pem;
use core::convert::Infallible;
use peerpigeon_core::AddressKey;
use std::io;
use std::time::Duration;

/// There is none in this build.
#[derive(Debug)]
pub struct Certificate(Infallible);

/// As what a certificate is shown.
pub(crate) type TlsConfig = Infallible;

/// A certificate is refused with the settings.
pub(crate) fn unverified<S>(_: S) -> io::Result<S> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whoever wants TLS with a database has been refused before.
pub(crate) fn check_authorities(_: &Pem) -> Result<(), String> {
    Ok(())
}

/// Refused with the settings, too.
#[derive(Debug)]
pub(crate) struct ClientTls(Infallible);

#[cfg_attr(not(feature = "dial"), expect(dead_code, reason = "nobody connects"))]
impl ClientTls {
    pub(crate) fn new(_: &str, _: Option<&Pem>) -> Result<ClientTls, String> {
        Err("there is none in this build".to_owned())
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn decrypt(&mut self, _: &[u8], _: &mut Vec<u8>, _: &mut Vec<u8>) -> Result<(), String> {
        match self.0 {}
    }

    pub(crate) fn encrypt(&mut self, _: &[u8], _: &mut Vec<u8>) {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(super) struct Scratch;

#[derive(Debug)]
pub(super) struct TlsSession {
    never: Infallible,
    pub(super) key: usize,
    pub(super) address: Option<AddressKey>,
}

impl Certificate {
    pub(super) fn show(&mut self, _: TlsConfig) {
        match self.0 {}
    }

    pub(super) fn watch(&mut self, _: Duration, _: ControlHandle) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn reload(&self) {
        match self.0 {}
    }

    pub(super) fn scratch(&self) -> Scratch {
        match self.0 {}
    }

    pub(super) fn session(&self) -> Result<TlsSession, io::Error> {
        match self.0 {}
    }
}

impl TlsSession {
    pub(super) fn read(&mut self, _: &mut Stream, _: &mut [u8], _: &mut Scratch) -> io::Result<usize> {
        match self.never {}
    }

    pub(crate) fn write(&mut self, _: &mut Stream, _: &[u8], _: &mut Scratch) -> io::Result<usize> {
        match self.never {}
    }

    pub(super) fn say_end(&mut self, _: &mut Stream, _: &mut Scratch) {
        match self.never {}
    }

    pub(super) fn has_more(&self) -> bool {
        match self.never {}
    }

    pub(super) fn is_stalled(&self) -> bool {
        match self.never {}
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        match self.never {}
    }
}
