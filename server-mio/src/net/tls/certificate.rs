//! The certificate and its key: two files that may change.

use crate::net::control::{Control, ControlHandle};
use crate::net::tls::{Scratch, TlsSession, pem};
use crate::program::settings::{Pem, SettingsError};
use core::fmt;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ProducesTickets, UnbufferedServerConnection};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::{Duration, SystemTime};
use std::{fs, io, thread};

/// As what a certificate is shown.
pub(crate) type TlsConfig = Arc<ServerConfig>;

/// What the server shows of itself, read from two files.
#[derive(Debug)]
pub struct Certificate {
    shown: TlsConfig,
    /// Of the thread that reads the files again, once there is one.
    asked: Option<SyncSender<()>>,
    files: Files,
}

/// The two files.
#[derive(Clone, Debug)]
struct Files {
    chain: Pem,
    key: Pem,
    /// How they looked when they were read for the last time.
    seen: [Option<Look>; 2],
    tickets: Arc<dyn ProducesTickets>,
}

/// A file is taken for another one when it looks otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Certificate {
    /// Reads a chain of certificates, that of the server first, and its private key.
    ///
    /// # Errors
    ///
    /// Which file is wrong and what is wrong with it.
    pub fn load(chain: &Pem, key: &Pem) -> Result<Certificate, CertificateError> {
        let tickets = ring::Ticketer::new()
            .map_err(|error| CertificateError { setting: KEY, detail: error.to_string() })?;
        let seen = [chain, key].map(look);
        let shown = configured(chain, key, Arc::clone(&tickets))?;
        let files = Files { chain: chain.clone(), key: key.clone(), seen, tickets };
        Ok(Certificate { shown, asked: None, files })
    }

    /// From now on the files are read again when they have changed, which is looked for so often, and the loop is told. A
    /// thread does it, since they may lie on a disk that hangs.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub(in crate::net) fn watch(&mut self, every: Duration, control: ControlHandle) -> io::Result<()> {
        let (asked, asks) = mpsc::sync_channel(1);
        let mut files = self.files.clone();
        thread::Builder::new().name("certificate".to_owned()).spawn(move || {
            loop {
                let shown = match asks.recv_timeout(every) {
                    Ok(()) => files.read(),
                    Err(RecvTimeoutError::Timeout) => files.read_if_changed(),
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                if let Some(shown) = shown
                    && let Err(error) = control.send(Control::Certificate(shown))
                {
                    log::error!("the event loop cannot be woken: {error}");
                }
            }
        })?;
        self.asked = Some(asked);
        Ok(())
    }

    /// Has the files read again, changed or not, without waiting for that.
    pub(in crate::net) fn reload(&self) {
        // It is full where they are about to be read anyway.
        let _ = self.asked.as_ref().map(|asked| asked.try_send(()));
    }

    /// From now on this is shown; connections that are there keep what they have.
    pub(in crate::net) fn show(&mut self, shown: TlsConfig) {
        self.shown = shown;
        log::info!("the certificate has been read again ({})", self.files.chain);
    }

    /// Buffers for all its connections.
    pub(in crate::net) fn scratch(&self) -> Scratch {
        Scratch::new()
    }

    /// The state of a new connection.
    pub(in crate::net) fn session(&self) -> Result<TlsSession, rustls::Error> {
        UnbufferedServerConnection::new(Arc::clone(&self.shown)).map(TlsSession::new)
    }
}

impl Files {
    fn read_if_changed(&mut self) -> Option<TlsConfig> {
        if self.seen == [&self.chain, &self.key].map(look) { None } else { self.read() }
    }

    /// `None` while the files are wrong: then the one before is still shown.
    fn read(&mut self) -> Option<TlsConfig> {
        self.seen = [&self.chain, &self.key].map(look);
        match configured(&self.chain, &self.key, Arc::clone(&self.tickets)) {
            Ok(shown) => Some(shown),
            Err(error) => {
                log::error!("the certificate stays the one that it was: {error}");
                None
            }
        }
    }
}

fn look(source: &Pem) -> Option<Look> {
    let Pem::File(file) = source else { return None };
    let metadata = fs::metadata(file).ok()?;
    Some(Look { modified: metadata.modified().ok(), bytes: metadata.len() })
}

fn configured(
    chain: &Pem,
    key: &Pem,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let wrong = |setting: &'static str, source: &Pem, detail: String| CertificateError {
        setting,
        detail: format!("{source}: {detail}"),
    };
    let certificates = read(chain)
        .and_then(|text| pem::certificates(&text))
        .map_err(|detail| wrong(CHAIN, chain, detail))?;
    let private =
        read(key).and_then(|text| pem::private_key(&text)).map_err(|detail| wrong(KEY, key, detail))?;
    let signing = ring::sign::any_supported_type(&private).map_err(|_| wrong(KEY, key, KINDS.to_owned()))?;
    let certified = CertifiedKey::new(certificates, signing);
    match whose(&certified) {
        Some(0) => {}
        Some(_) => {
            let detail =
                "the certificate of the server, which TLS_KEY belongs to, must come first".to_owned();
            return Err(wrong(CHAIN, chain, detail));
        }
        None => return Err(wrong(KEY, key, format!("it is not the key of {chain}"))),
    }
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .map(|builder| builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
        .map_err(|error| wrong(KEY, key, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Sessions are resumed by what their clients keep: nothing here grows with their number.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn read(source: &Pem) -> Result<Vec<u8>, String> {
    match source {
        Pem::File(file) => fs::read(file).map_err(|error| error.to_string()),
        Pem::Text(text) => Ok(text.clone().into_bytes()),
    }
}

/// Which of the certificates the key belongs to: the one that holds its public half, which is looked for as it is encoded,
/// since OpenSSL takes certificates that those who check them do not read (of X.509 version 1).
fn whose(certified: &CertifiedKey) -> Option<usize> {
    let public = certified.key.public_key()?;
    certified
        .cert
        .iter()
        .position(|certificate| certificate.windows(public.len()).any(|window| window == public.as_ref()))
}

/// Why a certificate cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError {
    /// The setting that names the wrong file.
    pub setting: &'static str,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.detail)
    }
}

impl core::error::Error for CertificateError {}

impl From<CertificateError> for SettingsError {
    fn from(CertificateError { setting, detail }: CertificateError) -> SettingsError {
        SettingsError::BadFile { name: setting.to_owned(), detail }
    }
}

const CHAIN: &str = "TLS_CERT";
const KEY: &str = "TLS_KEY";

/// What is said of keys of other kinds.
const KINDS: &str =
    "the key is none that is supported: RSA of 2048 to 8192 bits, ECDSA of P-256 or P-384, Ed25519";
