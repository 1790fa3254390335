//! Files in PEM as OpenSSL takes them, and what to say of those that it does not take either.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates in a file, in its order.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = checked(bytes)?;
    // The older names of the same (PEM_read_bio_X509(3)).
    let text = text.replace(" X509 CERTIFICATE-----", PLAIN).replace(" TRUSTED CERTIFICATE-----", PLAIN);
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match all {
        Ok(all) if all.is_empty() => Err(format!("there is no certificate in it, {}", labels(&text))),
        Ok(all) => Ok(all.into_iter().map(without_trust).collect()),
        Err(_) => Err(damaged(&text)),
    }
}

/// The first private key in a file.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let text = checked(bytes)?;
    if text.contains(" ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(
            "the key is encrypted; openssl pkey -in FILE -out FILE writes it without a passphrase".to_owned()
        );
    }
    if !text.contains("PRIVATE KEY-----") {
        return Err(format!("there is no private key in it, {}", labels(text)));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| damaged(text))
}

fn checked(bytes: &[u8]) -> Result<&str, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    match core::str::from_utf8(bytes) {
        Ok(text) if text.starts_with('\u{feff}') => {
            Err("it begins with a byte order mark, which PEM has none of; save it without BOM".to_owned())
        }
        Ok(text) => Ok(text),
        // A comment in another encoding is none of our business.
        Err(_) if bytes.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes()) => {
            Err("it is not UTF-8; what stands around the blocks may go".to_owned())
        }
        Err(_) => {
            Err("it is not PEM but binary (DER or PKCS #12); openssl x509, pkey and pkcs12 convert it"
                .to_owned())
        }
    }
}

/// What a file holds instead, by the labels of its blocks.
fn labels(text: &str) -> String {
    let labels: Vec<&str> =
        text.split(BEGIN).skip(1).filter_map(|block| block.split("-----").next()).map(str::trim).collect();
    if labels.is_empty() {
        "nor anything else in PEM".to_owned()
    } else {
        format!("but {}", labels.join(", "))
    }
}

fn damaged(text: &str) -> String {
    if text.matches(BEGIN).count() > text.matches("-----END").count() {
        return "a block in it has no end (a line -----END …-----)".to_owned();
    }
    "a block in it is damaged: there must be base64 between its first and its last line".to_owned()
}

/// A trusted certificate is followed by what it is trusted for, which is not shown to anybody.
fn without_trust(certificate: CertificateDer<'static>) -> CertificateDer<'static> {
    // A sequence (ITU-T X.690 section 8.1): its length is in the second byte, or in as many behind it as that one says.
    let length = match *certificate.as_ref() {
        [0x30, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([high, low])),
        [0x30, 0x81, length, ..] => 3 + usize::from(length),
        _ => return certificate,
    };
    certificate.get(..length).map(|own| own.to_vec().into()).unwrap_or(certificate)
}

const BEGIN: &str = "-----BEGIN";
const PLAIN: &str = " CERTIFICATE-----";
