//! Tests of tokens.
use super::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const NOW: u64 = 1_800_000_000;
const NAME_BYTES: u32 = 128;
const SECRET: &str = "a secret of 32 bytes, or of more";
const ID: &str = "0123456789abcdefABCDEF0123456789abcdefAB";

fn secret() -> Secret {
    Secret::parse(SECRET).unwrap()
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn public() -> PublicKey {
    let key = pair().public_key().as_ref().try_into().unwrap();
    PublicKey { key, shown: String::new() }
}

fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()))
}

fn by_secret(key: &[u8], header: &str, claims: &str) -> String {
    let signed = unsigned(header, claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

fn by_pair(header: &str, claims: &str) -> String {
    let signed = unsigned(header, claims);
    let signature = pair().sign(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

/// What comes of a token with these claims, signed as it must be.
fn claiming(claims: &str) -> Result<Grant, TokenFault> {
    let keys = Keys::new(Some(&secret()), None, NAME_BYTES);
    keys.check(by_secret(SECRET.as_bytes(), r#"{"alg":"HS256"}"#, claims).as_bytes(), NOW)
}

#[test]
fn the_example_of_the_standard_for_a_shared_secret_is_understood() {
    // RFC 7515 appendix A.1.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = BASE64URL_NOPAD.decode(key.as_bytes()).unwrap();
    let keys =
        Keys { secret: Some(hmac::Key::new(hmac::HMAC_SHA256, &key)), public: None, network_name_bytes: 0 };
    assert_eq!(keys.check(token.as_bytes(), 1_300_819_380), Ok(Grant::ANY));
    assert_eq!(keys.check(token.as_bytes(), 1_300_819_380 + 60), Err(TokenFault::Expired));
}

#[test]
fn the_example_of_the_standard_for_ed25519_is_understood() {
    // RFC 8037 appendix A.4; its payload is no JSON, which is looked at only once the signature is good.
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
        hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = BASE64URL_NOPAD.decode(b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let keys = Keys { secret: None, public: Some(key.try_into().unwrap()), network_name_bytes: 0 };
    assert_eq!(keys.check(token.as_bytes(), NOW), Err(TokenFault::NoToken));
    let changed = token.replace("RXhh", "RXhi");
    assert_eq!(keys.check(changed.as_bytes(), NOW), Err(TokenFault::Signature));
}

#[test]
fn a_minted_token_says_what_it_was_minted_for_until_it_expires() {
    let keys = Keys::new(Some(&secret()), None, NAME_BYTES);
    let peer = Some(ID.to_owned());
    let claims = Claims { peer, networks: vec!["a".into(), "ä\"".into()], expires: NOW + 10 };
    let token = secret().mint(&claims);
    let grant = Grant { peer: Some(ID.into()), networks: Some(["a".into(), "ä\"".into()].into()) };
    assert_eq!(keys.check(token.as_bytes(), NOW), Ok(grant.clone()));
    assert_eq!(keys.check(token.as_bytes(), NOW + 69), Ok(grant), "clocks differ");
    assert_eq!(keys.check(token.as_bytes(), NOW + 70), Err(TokenFault::Expired));
    let plain = secret().mint(&Claims { expires: NOW, ..Claims::default() });
    assert_eq!(keys.check(plain.as_bytes(), NOW), Ok(Grant::ANY));
}

#[test]
fn each_algorithm_goes_with_its_own_key_alone() {
    let claims = &format!(r#"{{"exp":{NOW}}}"#);
    let both = Keys::new(Some(&secret()), Some(&public()), NAME_BYTES);
    let (shared, signed) =
        (Keys::new(Some(&secret()), None, NAME_BYTES), Keys::new(None, Some(&public()), NAME_BYTES));
    let hs256 = by_secret(SECRET.as_bytes(), r#"{"alg":"HS256"}"#, claims);
    let eddsa = by_pair(r#"{"alg":"EdDSA"}"#, claims);
    // RFC 9864 section 2.2: the same by its full name.
    let ed25519 = by_pair(r#"{"alg":"Ed25519"}"#, claims);
    for (keys, by_hs256, by_eddsa) in [
        (&both, Ok(Grant::ANY), Ok(Grant::ANY)),
        (&shared, Ok(Grant::ANY), Err(TokenFault::Algorithm)),
        (&signed, Err(TokenFault::Algorithm), Ok(Grant::ANY)),
        (&Keys::default(), Err(TokenFault::Algorithm), Err(TokenFault::Algorithm)),
    ] {
        assert_eq!(keys.check(hs256.as_bytes(), NOW), by_hs256);
        assert_eq!(keys.check(eddsa.as_bytes(), NOW), by_eddsa);
        assert_eq!(keys.check(ed25519.as_bytes(), NOW), by_eddsa);
    }
    // The public key is known to everybody: taken for a secret, it would let everybody in.
    for key in [public().key.to_vec(), BASE64URL_NOPAD.encode(&public().key).into_bytes()] {
        let forged = by_secret(&key, r#"{"alg":"HS256"}"#, claims);
        assert_eq!(signed.check(forged.as_bytes(), NOW), Err(TokenFault::Algorithm));
        assert_eq!(both.check(forged.as_bytes(), NOW), Err(TokenFault::Signature));
        for header in [r#"{"alg":"EdDSA"}"#, r#"{"alg":"Ed25519"}"#] {
            let forged = by_secret(&key, header, claims);
            assert_eq!(both.check(forged.as_bytes(), NOW), Err(TokenFault::Signature));
        }
    }
    let swapped = by_pair(r#"{"alg":"HS256"}"#, claims);
    assert_eq!(both.check(swapped.as_bytes(), NOW), Err(TokenFault::Signature));
}

#[test]
fn no_other_algorithm_is_followed() {
    let keys = Keys::new(Some(&secret()), Some(&public()), NAME_BYTES);
    let claims = &format!(r#"{{"exp":{NOW}}}"#);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"Ed448"}"#,
        r#"{"alg":"ed25519"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        "{}",
    ] {
        let token = by_secret(SECRET.as_bytes(), header, claims);
        assert_eq!(keys.check(token.as_bytes(), NOW), Err(TokenFault::Algorithm), "{header}");
        let bare = format!("{}.", unsigned(header, claims));
        assert_eq!(keys.check(bare.as_bytes(), NOW), Err(TokenFault::Algorithm), "{header}");
    }
}

#[test]
fn a_token_that_was_signed_otherwise_or_changed_is_no_good() {
    let keys = Keys::new(Some(&secret()), Some(&public()), NAME_BYTES);
    let claims = &format!(r#"{{"exp":{NOW}}}"#);
    let wrong_key = by_secret(&[b'x'; 32], r#"{"alg":"HS256"}"#, claims);
    let without = format!("{}.", unsigned(r#"{"alg":"HS256"}"#, claims));
    let good = secret().mint(&Claims { expires: NOW, ..Claims::default() });
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let header = signed.split_once('.').unwrap().0;
    let other_claims = BASE64URL_NOPAD.encode(format!(r#"{{"exp":{}}}"#, NOW + 1).as_bytes());
    let changed = format!("{header}.{other_claims}.{signature}");
    let truncated = format!("{signed}.{}", &signature[..40]);
    for token in [wrong_key, without, changed, truncated] {
        assert_eq!(keys.check(token.as_bytes(), NOW), Err(TokenFault::Signature), "{token}");
    }
}

#[test]
fn garbage_is_no_token() {
    let keys = Keys::new(Some(&secret()), Some(&public()), NAME_BYTES);
    let good = secret().mint(&Claims { expires: NOW, ..Claims::default() });
    let deep = format!("{}.e30.", BASE64URL_NOPAD.encode("[".repeat(6_000).as_bytes()));
    for token in [
        "".as_bytes(),
        b".",
        b"..",
        b"...",
        b"secret",
        b"a.b.c",
        b"e30.e30",
        b"\xff.\xff.\xff",
        b"bnVsbA.e30.",
        format!("{good}=").as_bytes(),
        format!("{good}.").as_bytes(),
        format!(".{good}").as_bytes(),
        format!(" {good}").as_bytes(),
        format!("{good}\n").as_bytes(),
        deep.as_bytes(),
    ] {
        assert_eq!(keys.check(token, NOW), Err(TokenFault::NoToken), "{}", String::from_utf8_lossy(token));
    }
    assert_eq!(claiming("[]"), Err(TokenFault::NoToken));
    assert_eq!(claiming(r#"{"exp":1e999}"#), Err(TokenFault::NoToken));
}

#[test]
fn a_token_has_an_end_and_perhaps_a_beginning() {
    for (claims, expected) in [
        ("{}", Err(TokenFault::NoEnd)),
        (r#"{"exp":null}"#, Err(TokenFault::NoEnd)),
        (r#"{"exp":"1900000000"}"#, Err(TokenFault::NoEnd)),
        (r#"{"exp":-1}"#, Err(TokenFault::Expired)),
        (r#"{"exp":0}"#, Err(TokenFault::Expired)),
        (r#"{"exp":1799999940}"#, Err(TokenFault::Expired)),
        (r#"{"exp":1799999940.5}"#, Ok(Grant::ANY)),
        (r#"{"exp":1e300}"#, Ok(Grant::ANY)),
        (r#"{"exp":1800000000,"nbf":1800000060}"#, Ok(Grant::ANY)),
        (r#"{"exp":1900000000,"nbf":1800000061}"#, Err(TokenFault::NotYet)),
        (r#"{"exp":1900000000,"nbf":"0"}"#, Err(TokenFault::NotYet)),
    ] {
        assert_eq!(claiming(claims), expected, "{claims}");
    }
}

#[test]
fn a_token_for_others_is_none_for_us() {
    for (audience, is_ours) in [
        (r#""peerpigeon""#, true),
        (r#"["shop","peerpigeon"]"#, true),
        (r#""shop""#, false),
        ("[]", false),
        ("null", false),
        (r#""PeerPigeon""#, false),
    ] {
        let result = claiming(&format!(r#"{{"exp":{NOW},"aud":{audience}}}"#));
        assert_eq!(result, if is_ours { Ok(Grant::ANY) } else { Err(TokenFault::Audience) }, "{audience}");
    }
}

#[test]
fn a_token_may_name_its_peer_and_networks() {
    let peer = |id: &str| Some(id.into());
    let networks = |names: &[&str]| Some(names.iter().map(|name| (*name).into()).collect());
    let many = |count: usize| format!(r#""networks":[{}"x"]"#, r#""x","#.repeat(count - 1));
    for (claims, expected) in [
        (format!(r#""peerId":"{ID}""#), Ok(Grant { peer: peer(ID), networks: None })),
        (r#""peerId":"any ä""#.into(), Ok(Grant { peer: peer("any ä"), networks: None })),
        (
            format!(r#""sub":"{}""#, ID.to_lowercase()),
            Ok(Grant { peer: peer(&ID.to_lowercase()), networks: None }),
        ),
        (format!(r#""sub":"alice","peerId":"{ID}""#), Ok(Grant { peer: peer(ID), networks: None })),
        (r#""sub":"alice""#.into(), Ok(Grant::ANY)),
        (format!(r#""peerId":"{}""#, "x".repeat(129)), Err(TokenFault::Peer)),
        (r#""peerId":" ""#.into(), Err(TokenFault::Peer)),
        (r#""peerId":7"#.into(), Err(TokenFault::Peer)),
        (format!(r#""peerId":null,"sub":"{ID}""#), Err(TokenFault::Peer)),
        (r#""networks":["a","b"]"#.into(), Ok(Grant { peer: None, networks: networks(&["a", "b"]) })),
        (r#""networks":[]"#.into(), Ok(Grant { peer: None, networks: networks(&[]) })),
        (r#""networks":"a""#.into(), Err(TokenFault::Networks)),
        (r#""networks":null"#.into(), Err(TokenFault::Networks)),
        (r#""networks":["a",1]"#.into(), Err(TokenFault::Networks)),
        (many(32), Ok(Grant { peer: None, networks: networks(&["x"; 32]) })),
        (many(33), Err(TokenFault::Networks)),
        (format!(r#""networks":["{}"]"#, "x".repeat(129)), Err(TokenFault::Networks)),
    ] {
        assert_eq!(claiming(&format!(r#"{{"exp":{NOW},{claims}}}"#)), expected, "{claims}");
    }
}

#[test]
fn a_token_may_name_every_network_that_a_message_may() {
    for most in [16, 128, 1_000] {
        let keys = Keys::new(Some(&secret()), None, most);
        let check = |bytes: u32| {
            let claims = format!(r#"{{"exp":{NOW},"networks":["{}"]}}"#, "x".repeat(bytes as usize));
            keys.check(by_secret(SECRET.as_bytes(), r#"{"alg":"HS256"}"#, &claims).as_bytes(), NOW)
        };
        assert!(check(most).is_ok(), "{most}");
        assert_eq!(check(most + 1), Err(TokenFault::Networks), "{most}");
    }
}

#[test]
fn keys_are_read_and_never_shown() {
    assert_eq!(Secret::parse(&SECRET[1..]), Err(KeyError::TooShort));
    assert!(
        !format!("{:?} {:?}", secret(), Keys::new(Some(&secret()), None, NAME_BYTES)).contains("a secret")
    );
    // RFC 8410 section 10.1.
    let pem = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let key = PublicKey::parse(pem).unwrap();
    assert_eq!((key.key[..3].to_vec(), key.to_string()), (vec![0x19, 0xbf, 0x44], "(PEM)".to_owned()));
    let rsa = pem.replace("MCowBQYDK2VwAyEA", "MCowBQYDK2VxAyEA");
    assert_eq!(PublicKey::parse(&rsa), Err(KeyError::NotEd25519));
    for bad in ["-----BEGIN PUBLIC KEY-----", &pem.replace("PUBLIC", "PRIVATE")] {
        assert_eq!(PublicKey::parse(bad), Err(KeyError::NoPublicKey));
    }
    assert!(matches!(PublicKey::parse("/no/such/file"), Err(KeyError::File(_))));
}
