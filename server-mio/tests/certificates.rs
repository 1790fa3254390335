//! Which files of certificates and keys are taken, and what is said of the others. They are made by `openssl`.
#![cfg(feature = "tls")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Files {
    fn new(name: &str) -> Files {
        let folder = std::env::temp_dir().join(format!("peerpigeon-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Files(folder)
    }

    fn openssl(&self, line: &str) {
        let run = Command::new("openssl").args(line.split(' ')).current_dir(&self.0).output();
        let output = run.expect("openssl, which makes the files of this test");
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A key of this kind, and a certificate of version 3 for it that is valid for so many days.
    fn pair(&self, key: &str, certificate: &str, kind: &str) {
        self.openssl(&format!(
            "req -x509 -newkey {kind} -nodes -keyout {key} -out {certificate} -days 30000 -subj /CN=a"
        ));
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// What the program says of a certificate and its key; nothing when it takes them.
    fn check(&self, chain: &str, key: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_peerpigeon-server"))
            .arg("--check")
            .env_clear()
            .envs([("TLS_CERT", chain), ("TLS_KEY", key)])
            .current_dir(&self.0)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.is_empty(), output.status.success());
        said
    }
}

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

#[test]
fn what_openssl_takes_is_taken() {
    let files = Files::new("taken");
    files.pair("key", "cert", P256);
    files.pair("rsa", "rsa-cert", "rsa:2048");
    files.pair("ed", "ed-cert", "ed25519");
    files.openssl("rsa -in rsa -traditional -out rsa-pkcs1");
    files.openssl("ec -in key -out sec1");
    files.openssl("ecparam -name prime256v1 -out params");
    files.write("params-key", files.read("params") + &files.read("sec1"));
    files.openssl("x509 -in cert -text -out cert-text");
    files.write("key-text", format!("Bag Attributes\n    friendlyName: a\n{}", files.read("key")));
    files.write("cert-crlf", files.read("cert").replace('\n', "\r\n"));
    files.write("key-crlf", files.read("key").replace('\n', "\r\n"));
    files.write("both", files.read("key") + &files.read("cert"));
    files.write("two-keys", files.read("key") + &files.read("rsa"));
    files.write("older-name", files.read("cert").replace("CERTIFICATE", "X509 CERTIFICATE"));
    files.openssl("x509 -in cert -trustout -addtrust serverAuth -out trusted");
    files.openssl("req -new -key key -subj /CN=leaf -out request");
    // Without extensions: of version 1.
    files.openssl("x509 -req -in request -CA rsa-cert -CAkey rsa -CAcreateserial -days 30000 -out leaf");
    files.openssl("x509 -req -in request -CA rsa-cert -CAkey rsa -CAcreateserial -days -1 -out expired");
    files.write("chain", files.read("leaf") + &files.read("rsa-cert"));
    for (chain, key) in [
        ("cert", "key"),
        ("rsa-cert", "rsa"),
        ("rsa-cert", "rsa-pkcs1"),
        ("ed-cert", "ed"),
        ("cert", "sec1"),
        ("cert", "params-key"),
        ("cert-text", "key-text"),
        ("cert-crlf", "key-crlf"),
        ("both", "both"),
        ("cert", "two-keys"),
        ("older-name", "key"),
        ("trusted", "key"),
        ("leaf", "key"),
        ("chain", "key"),
        ("expired", "key"),
    ] {
        assert_eq!(files.check(chain, key), "", "{chain} {key}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_in_a_sentence() {
    let files = Files::new("refused");
    files.pair("key", "cert", P256);
    files.pair("other", "other-cert", P256);
    files.pair("odd", "odd-cert", "ec -pkeyopt ec_paramgen_curve:secp256k1");
    files.openssl("pkcs8 -topk8 -in key -passout pass:x -out encrypted");
    files.openssl("ec -in key -aes128 -passout pass:x -out encrypted-sec1");
    files.openssl("x509 -in cert -outform DER -out cert-der");
    files.openssl("pkey -in key -outform DER -out key-der");
    files.openssl("pkcs12 -export -in cert -inkey key -passout pass:x -out pkcs12");
    files.openssl("pkey -in key -pubout -out public");
    files.write("empty", "");
    files.write("words", "nothing\n");
    files.write("cert-bom", format!("\u{feff}{}", files.read("cert")));
    files.write("key-bom", format!("\u{feff}{}", files.read("key")));
    files.write("wrong-order", files.read("other-cert") + &files.read("cert"));
    files.write("two-keys", files.read("other") + &files.read("key"));
    files.write("cut", &files.read("cert")[..300]);
    files.write("damaged", files.read("cert").replacen("\nM", "\n!", 1));
    let binary = "it is not PEM but binary (DER or PKCS #12); openssl x509, pkey and pkcs12 convert it";
    let encrypted = "the key is encrypted; openssl pkey -in FILE -out FILE writes it without a passphrase";
    let bom = "it begins with a byte order mark, which PEM has none of; save it without BOM";
    for (chain, key, setting, sentence) in [
        ("cert", "encrypted", "TLS_KEY", encrypted),
        ("cert", "encrypted-sec1", "TLS_KEY", encrypted),
        ("cert-der", "key", "TLS_CERT", binary),
        ("pkcs12", "key", "TLS_CERT", binary),
        ("cert", "key-der", "TLS_KEY", binary),
        ("cert-bom", "key", "TLS_CERT", bom),
        ("cert", "key-bom", "TLS_KEY", bom),
        ("empty", "key", "TLS_CERT", "it is empty"),
        ("cert", "empty", "TLS_KEY", "it is empty"),
        ("words", "key", "TLS_CERT", "there is no certificate in it, nor anything else in PEM"),
        ("key", "key", "TLS_CERT", "there is no certificate in it, but PRIVATE KEY"),
        ("cert", "public", "TLS_KEY", "there is no private key in it, but PUBLIC KEY"),
        ("cert", "cert", "TLS_KEY", "there is no private key in it, but CERTIFICATE"),
        ("cert", "other", "TLS_KEY", "it is not the key of cert"),
        ("cert", "two-keys", "TLS_KEY", "it is not the key of cert"),
        (
            "wrong-order",
            "key",
            "TLS_CERT",
            "the certificate of the server, which TLS_KEY belongs to, must come first",
        ),
        ("cut", "key", "TLS_CERT", "a block in it has no end (a line -----END …-----)"),
        (
            "damaged",
            "key",
            "TLS_CERT",
            "a block in it is damaged: there must be base64 between its first and its last line",
        ),
        (
            "odd-cert",
            "odd",
            "TLS_KEY",
            "the key is none that is supported: RSA of 2048 to 8192 bits, ECDSA of P-256 or P-384, Ed25519",
        ),
    ] {
        let file = if setting == "TLS_CERT" { chain } else { key };
        assert_eq!(
            files.check(chain, key),
            format!("peerpigeon-server: {setting}: {file}: {sentence}\n"),
            "{chain} {key}"
        );
    }
}
