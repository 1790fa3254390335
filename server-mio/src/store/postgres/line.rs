//! A connection in the hands of a thread that may wait, but not for ever.

use crate::net::Place;
use crate::net::dial;
use crate::program::settings::Pem;
use crate::store::postgres::messages::{Failure, next_message};
use crate::store::{Encryption, StoreUrl};
use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use std::time::Instant;

/// What is said over it is whole messages.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) line: dial::Line,
    /// What has come and was not looked at.
    pub(super) input: BytesMut,
    /// What is to be said.
    pub(super) output: BytesMut,
}

impl Line {
    /// Connects, with TLS where the URL wants it.
    pub(super) fn open(
        url: &StoreUrl,
        authorities: Option<&Pem>,
        deadline: Instant,
    ) -> Result<Line, Failure> {
        let line = dial::Line::open(&url.place, deadline)?;
        let mut line = Line { line, input: BytesMut::new(), output: BytesMut::new() };
        if let Place::Host(name, _) = &url.place {
            match url.encryption {
                Encryption::Disable => {}
                Encryption::Require => line.secure(name, None)?,
                Encryption::VerifyFull => {
                    let authorities =
                        authorities.ok_or_else(|| Failure::tls("MAIL_STORE_CA is not set".to_owned()))?;
                    line.secure(name, Some(authorities))?;
                }
            }
        }
        Ok(line)
    }

    /// Sends what is to be said.
    pub(super) fn send(&mut self) -> Result<(), Failure> {
        let plain = self.output.split();
        Ok(self.line.send(&plain)?)
    }

    /// The next message.
    pub(super) fn receive(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(message) = next_message(&mut self.input, LONGEST_MESSAGE)? {
                return Ok(message);
            }
            self.line.receive(|plain| self.input.extend_from_slice(plain))?;
        }
    }

    /// PostgreSQL is asked for TLS before anything else is said (its documentation, "SSL Session Encryption").
    fn secure(&mut self, host: &str, authorities: Option<&Pem>) -> Result<(), Failure> {
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        self.line.write(&request)?;
        let mut answer = [0];
        self.line.read(&mut answer)?;
        match answer {
            [b'S'] => {}
            [b'N'] => {
                return Err(Failure::tls("it has none; sslmode=disable would go on without".to_owned()));
            }
            _ => return Err(Failure::GARBLED),
        }
        let plain = self.line.secure(host, authorities)?;
        self.input.extend_from_slice(&plain);
        Ok(())
    }
}

/// While a session is made ready; an error, at worst.
const LONGEST_MESSAGE: usize = 64 * 1024;
