//! The other end of a connection, for asking ourselves.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Speaks TLS with whoever is at the other end of `stream`, which is this machine: whoever can listen in place of the
/// server here can answer whatever is asked, too. The certificate is for a name that is not asked for.
///
/// # Errors
///
/// When TLS cannot be set up; what goes wrong on the way comes with the first read or write.
pub(crate) fn unverified<S: Read + Write>(stream: S) -> io::Result<StreamOwned<ClientConnection, S>> {
    let provider = ring::default_provider();
    let anybody = Anybody { algorithms: provider.signature_verification_algorithms };
    let connection = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(anybody)))
        .and_then(|builder| {
            let nameless = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
            ClientConnection::new(Arc::new(builder.with_no_client_auth()), nameless)
        });
    Ok(StreamOwned::new(connection.map_err(io::Error::other)?, stream))
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
