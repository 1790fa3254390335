//! JSON Web Tokens (RFC 7519): the settings `AUTH_JWT_SECRET` and `AUTH_JWT_PUBLIC_KEY`.
//!
//! The form (RFC 7515 section 3.1) is read here, since it is little and libraries for it cost more bytes than
//! all of it; the cryptography is that of `ring`, which TLS needs anyway. Each key goes with one algorithm
//! (RFC 8725 section 3.1): a public key is never taken for a shared secret, whatever a token says.

use crate::program::settings::pem;
use core::fmt;
use data_encoding::BASE64URL_NOPAD;
use peerpigeon_core::{Grant, PeerId};
use ring::{hmac, signature};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};

/// A secret shared with whoever mints tokens, by HMAC with SHA-256 (`HS256`, RFC 7518 section 3.2).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// An Ed25519 key that tokens are signed with elsewhere (`EdDSA`, RFC 8037 section 3.1; by its full name `Ed25519`,
/// RFC 9864 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    key: [u8; 32],
    shown: String,
}

/// What a token is checked with. Without a key no token is good.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    secret: Option<hmac::Key>,
    public: Option<[u8; 32]>,
    network_name_bytes: u32,
}

/// What a minted token says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who its bearer is; `None`: anybody.
    pub peer: Option<String>,
    /// Where; empty: anywhere.
    pub networks: Vec<String>,
    /// Seconds since 1970 from which on it is no good.
    pub expires: u64,
}

/// Why a token is no good; each is shown to whoever brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// It has not the form of one.
    NoToken,
    /// Its `alg` goes with no key that is set, or it has a `crit` (RFC 7515 section 4.1.11).
    Algorithm,
    /// Signed with another key, or changed since.
    Signature,
    /// `exp` is missing, or no number.
    NoEnd,
    /// `exp` is over.
    Expired,
    /// `nbf` has not come, or is no number.
    NotYet,
    /// `aud` does not name this server.
    Audience,
    /// `peerId` is no peer id.
    Peer,
    /// `networks` is no list of network names, or too long.
    Networks,
}

impl Secret {
    /// Bytes that a secret has at least: as many as the hash (RFC 7518 section 3.2).
    pub(crate) const LEAST_BYTES: usize = 32;

    /// A secret; the bytes of the text are the key.
    ///
    /// # Errors
    ///
    /// What is wrong; never says what the secret is.
    pub(crate) fn parse(text: &str) -> Result<Secret, KeyError> {
        if text.len() < Self::LEAST_BYTES { Err(KeyError::TooShort) } else { Ok(Secret(text.to_owned())) }
    }

    /// The text itself.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "tokens alone are minted by it"))]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// A token that says this.
    #[must_use]
    pub(crate) fn mint(&self, claims: &Claims) -> String {
        let mut payload = Map::from_iter([("exp".to_owned(), claims.expires.into())]);
        if let Some(peer) = &claims.peer {
            payload.insert("peerId".to_owned(), peer.as_str().into());
        }
        if !claims.networks.is_empty() {
            payload.insert("networks".to_owned(), json!(claims.networks));
        }
        let encoded = |part: Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encoded(json!({"alg": HS256, "typ": "JWT"})), encoded(payload.into()));
        let signature = hmac::sign(&self.key(), signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` in PEM, or the file of that name.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(crate) fn parse(text: &str) -> Result<PublicKey, KeyError> {
        if let Some(text) = pem(text) {
            return Ok(PublicKey { key: key_in(&text)?, shown: "(PEM)".to_owned() });
        }
        let pem = std::fs::read_to_string(text).map_err(|error| KeyError::File(error.to_string()))?;
        Ok(PublicKey { key: key_in(&pem)?, shown: text.to_owned() })
    }
}

/// The file, or that it is given as text.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Never shows the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl Keys {
    /// With what the settings give. A token may name networks whose names have at most `network_name_bytes`.
    #[must_use]
    pub(super) fn new(secret: Option<&Secret>, public: Option<&PublicKey>, network_name_bytes: u32) -> Keys {
        Keys { secret: secret.map(Secret::key), public: public.map(|public| public.key), network_name_bytes }
    }

    /// Whether tokens are asked for.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.secret.is_none() && self.public.is_none()
    }

    /// What a token allows; `now` is seconds since 1970.
    ///
    /// # Errors
    ///
    /// Why it is no good.
    pub(super) fn check(&self, token: &[u8], now: u64) -> Result<Grant, TokenFault> {
        let (signed, signature) = split_at_last_dot(token).ok_or(TokenFault::NoToken)?;
        let (header, payload) = split_at_last_dot(signed).ok_or(TokenFault::NoToken)?;
        let header = object(header)?;
        let signature = BASE64URL_NOPAD.decode(signature).map_err(|_| TokenFault::NoToken)?;
        if header.contains_key("crit") {
            return Err(TokenFault::Algorithm);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let is_good = match (algorithm, &self.secret, &self.public) {
            (Some(HS256), Some(secret), _) => hmac::verify(secret, signed, &signature).is_ok(),
            (Some(EDDSA | ED25519), _, Some(public)) => {
                let public = signature::UnparsedPublicKey::new(&signature::ED25519, public);
                public.verify(signed, &signature).is_ok()
            }
            _ => return Err(TokenFault::Algorithm),
        };
        if !is_good {
            return Err(TokenFault::Signature);
        }
        grant(&object(payload)?, now, self.network_name_bytes)
    }
}

/// Judges the claims of a token whose signature is good.
fn grant(claims: &Map<String, Value>, now: u64, network_name_bytes: u32) -> Result<Grant, TokenFault> {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    let (latest, earliest) = ((now + LEEWAY_SECONDS) as f64, now.saturating_sub(LEEWAY_SECONDS) as f64);
    let end = claims.get("exp").and_then(Value::as_f64).ok_or(TokenFault::NoEnd)?;
    if end <= earliest {
        return Err(TokenFault::Expired);
    }
    if let Some(start) = claims.get("nbf")
        && start.as_f64().is_none_or(|start| start > latest)
    {
        return Err(TokenFault::NotYet);
    }
    // RFC 7519 section 4.1.3: a token for others is none for us, though the key may be the same.
    if let Some(audience) = claims.get("aud")
        && audience != AUDIENCE
        && !audience.as_array().is_some_and(|several| several.iter().any(|one| one == AUDIENCE))
    {
        return Err(TokenFault::Audience);
    }
    let networks = claims.get("networks").map(|names| networks(names, network_name_bytes)).transpose()?;
    Ok(Grant { peer: peer(claims)?, networks })
}

/// `peerId` must be an id; `sub` counts where it is 40 hex digits, since many issuers put something else there.
fn peer(claims: &Map<String, Value>) -> Result<Option<Box<str>>, TokenFault> {
    let of = |name: &str| claims.get(name).and_then(Value::as_str);
    if claims.contains_key("peerId") {
        let id = of("peerId").filter(|id| is_bindable(id)).ok_or(TokenFault::Peer)?;
        return Ok(Some(id.into()));
    }
    Ok(of("sub").filter(|sub| sub.parse::<PeerId>().is_ok()).map(Into::into))
}

/// Whether a token can be bound to this id.
pub(crate) fn is_bindable(id: &str) -> bool {
    !id.trim().is_empty() && id.len() <= Grant::MAX_ID_BYTES
}

fn networks(value: &Value, name_bytes: u32) -> Result<Box<[Box<str>]>, TokenFault> {
    let names =
        value.as_array().filter(|names| names.len() <= Grant::MAX_NETWORKS).ok_or(TokenFault::Networks)?;
    let name = |name: &Value| name.as_str().filter(|name| name.len() <= name_bytes as usize).map(Into::into);
    names.iter().map(name).collect::<Option<_>>().ok_or(TokenFault::Networks)
}

fn split_at_last_dot(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = bytes.iter().rposition(|byte| *byte == b'.')?;
    Some((&bytes[..dot], &bytes[dot + 1..]))
}

fn object(part: &[u8]) -> Result<Map<String, Value>, TokenFault> {
    let json = BASE64URL_NOPAD.decode(part).map_err(|_| TokenFault::NoToken)?;
    serde_json::from_slice(&json).map_err(|_| TokenFault::NoToken)
}

/// The key in a `SubjectPublicKeyInfo` (RFC 8410 section 4), which for Ed25519 always begins the same.
fn key_in(pem: &str) -> Result<[u8; 32], KeyError> {
    const BEGINNING: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoPublicKey)?;
    let key = info.strip_prefix(&BEGINNING).ok_or(KeyError::NotEd25519)?;
    key.try_into().map_err(|_| KeyError::NotEd25519)
}

impl TokenFault {
    /// What is wrong, for whoever brought the token.
    #[must_use]
    pub(super) fn text(self) -> &'static str {
        match self {
            TokenFault::NoToken => "The token is wrong",
            TokenFault::Algorithm => "The token is of a kind that is not accepted here (alg)",
            TokenFault::Signature => "The token has a wrong signature",
            TokenFault::NoEnd => "The token needs an end (exp)",
            TokenFault::Expired => "The token has expired (exp)",
            TokenFault::NotYet => "The token is not valid yet (nbf)",
            TokenFault::Audience => "The token is for somebody else (aud)",
            TokenFault::Peer => {
                "peerId of the token must be a string of 1 to 128 bytes, for most clients 40 hexadecimal digits"
            }
            TokenFault::Networks => "networks of the token must be a list of at most 32 network names",
        }
    }
}

/// Why a text is no [`Secret`] or [`PublicKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// Fewer than [`Secret::LEAST_BYTES`].
    TooShort,
    /// The file cannot be read.
    File(String),
    /// There is no public key in it.
    NoPublicKey,
    /// A public key of another kind.
    NotEd25519,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::TooShort => write!(f, "it is shorter than {} bytes", Secret::LEAST_BYTES),
            KeyError::File(error) => write!(f, "the file cannot be read: {error}"),
            KeyError::NoPublicKey => f.write_str("there is no PUBLIC KEY in PEM"),
            KeyError::NotEd25519 => f.write_str("the public key is not one of Ed25519"),
        }
    }
}

impl core::error::Error for KeyError {}

const HS256: &str = "HS256";
const EDDSA: &str = "EdDSA";
const ED25519: &str = "Ed25519";

/// Who we are, where a token says whom it is for.
const AUDIENCE: &str = "peerpigeon";

/// How far apart the clocks of this machine and of the issuer may be.
const LEEWAY_SECONDS: u64 = 60;

#[cfg(test)]
mod tests;
