//! The other end of a connection: for asking ourselves, and for speaking with a database.

use crate::net::tls::pem;
use crate::program::settings::Pem;
use core::fmt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, StreamOwned,
};
use std::fs;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Speaks TLS with whoever is at the other end of `stream`, which is this machine: whoever can listen in place of the
/// server here can answer whatever is asked, too. The certificate is for a name that is not asked for.
///
/// # Errors
///
/// When TLS cannot be set up; what goes wrong on the way comes with the first read or write.
pub(crate) fn unverified<S: Read + Write>(stream: S) -> io::Result<StreamOwned<ClientConnection, S>> {
    let nameless = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let connection = ClientConnection::new(Arc::new(taking_anybody().map_err(io::Error::other)?), nameless);
    Ok(StreamOwned::new(connection.map_err(io::Error::other)?, stream))
}

fn taking_anybody() -> Result<ClientConfig, Error> {
    let provider = ring::default_provider();
    let anybody = Anybody { algorithms: provider.signature_verification_algorithms };
    Ok(ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(anybody))
        .with_no_client_auth())
}

fn taking_whom_they_know(roots: RootCertStore) -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// TLS with a server that we have connected to, without its socket: bytes in, bytes out.
pub(crate) struct ClientTls(Box<ClientConnection>);

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Begins, with whoever is at the other end; with a host of this name only if there are `authorities`, one of which must
    /// have signed its certificate.
    ///
    /// # Errors
    ///
    /// What is wrong with name or authorities, as one line.
    pub(crate) fn new(host: &str, authorities: Option<&Pem>) -> Result<ClientTls, String> {
        let config = match authorities {
            Some(authorities) => taking_whom_they_know(roots(authorities)?),
            None => taking_anybody(),
        };
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| format!("{host:?} is no name of a host"))?;
        let connection = config.and_then(|config| ClientConnection::new(Arc::new(config), name));
        let mut connection = connection.map_err(|error| error.to_string())?;
        // What waits is bounded by whoever encrypts.
        connection.set_buffer_limit(None);
        Ok(ClientTls(Box::new(connection)))
    }

    /// Whether nothing can be encrypted yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// Appends what comes of `bytes` that were read to `plain`, and what is to be sent to `unsent`.
    ///
    /// # Errors
    ///
    /// What the other end does wrong, or who it is not, as one line.
    pub(crate) fn decrypt(
        &mut self,
        mut bytes: &[u8],
        plain: &mut Vec<u8>,
        unsent: &mut Vec<u8>,
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            self.0.read_tls(&mut bytes).map_err(|error| error.to_string())?;
            let processed = self.0.process_new_packets();
            // Whatever went wrong, the other end is told.
            self.send(unsent);
            let processed = processed.map_err(|error| error.to_string())?;
            let have = plain.len();
            plain.resize(have + processed.plaintext_bytes_to_read(), 0);
            self.0.reader().read_exact(&mut plain[have..]).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Appends what becomes of `bytes` to `unsent`; of no bytes, what the handshake has to say.
    pub(crate) fn encrypt(&mut self, bytes: &[u8], unsent: &mut Vec<u8>) {
        // Neither can fail: there is no limit, and memory takes everything.
        let written = self.0.writer().write_all(bytes);
        debug_assert!(written.is_ok());
        self.send(unsent);
    }

    fn send(&mut self, unsent: &mut Vec<u8>) {
        while self.0.wants_write() {
            if self.0.write_tls(unsent).is_err() {
                return;
            }
        }
    }
}

/// Whether somebody can be told by these certificates.
///
/// # Errors
///
/// What is wrong with them, as one line.
pub(crate) fn check_authorities(authorities: &Pem) -> Result<(), String> {
    roots(authorities).map(|_| ())
}

fn roots(authorities: &Pem) -> Result<RootCertStore, String> {
    let text = match authorities {
        Pem::File(path) => fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?,
        Pem::Text(text) => text.as_bytes().to_vec(),
    };
    let certificates = pem::certificates(&text).map_err(|error| format!("{authorities}: {error}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| format!("{authorities}: {error}"))?;
    }
    Ok(roots)
}

/// Takes every certificate.
#[derive(Debug)]
struct Anybody {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
