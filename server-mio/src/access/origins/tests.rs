use super::*;

fn origins(text: &str) -> Origins {
    Origins::parse(text).unwrap()
}

#[test]
fn the_star_lets_everybody_in_and_the_answer_never_varies() {
    for origin in [None, Some("https://a.example"), Some("null"), Some("rubbish")] {
        assert_eq!(origins("*").upgrade(origin), OriginVerdict::Pass);
        assert_eq!(origins("*").allow(origin), AllowOrigin::Always("*"));
    }
    assert_eq!(AllowOrigin::Always("*").vary(), None);
}

#[test]
fn scheme_and_port_count_exactly_and_the_host_in_either_case() {
    for (pattern, origin, expected) in [
        ("https://a.example", "https://a.example", OriginVerdict::Pass),
        ("https://a.example", "https://A.Example", OriginVerdict::Pass),
        ("HTTPS://A.EXAMPLE", "https://a.example", OriginVerdict::Pass),
        ("https://a.example", "http://a.example", OriginVerdict::Refuse),
        ("https://a.example", "https://a.example:8443", OriginVerdict::Refuse),
        ("https://a.example:8443", "https://a.example:8443", OriginVerdict::Pass),
        ("https://a.example:8443", "https://a.example", OriginVerdict::Refuse),
        ("https://a.example:443", "https://a.example", OriginVerdict::Pass),
        ("https://a.example", "https://a.example:443", OriginVerdict::Pass),
        ("http://a.example", "http://a.example:080", OriginVerdict::Refuse),
        ("http://a.example:443", "http://a.example", OriginVerdict::Refuse),
        ("https://a.example", "https://b.a.example", OriginVerdict::Refuse),
        ("https://a.example", "https://a.example.evil.test", OriginVerdict::Refuse),
        ("https://a.example", "https://a.example/", OriginVerdict::Refuse),
        ("https://a.example", "https://user@a.example", OriginVerdict::Refuse),
        ("https://a.example", "null", OriginVerdict::Refuse),
        ("https://a.example", "", OriginVerdict::Refuse),
        ("null", "null", OriginVerdict::Pass),
        ("null", "https://null", OriginVerdict::Refuse),
        ("http://[::1]:3000", "http://[::1]:3000", OriginVerdict::Pass),
        ("http://[::1]", "http://[::1]:3000", OriginVerdict::Refuse),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", OriginVerdict::Pass),
        ("capacitor://localhost", "capacitor://localhost", OriginVerdict::Pass),
        ("chrome-extension://abcdef", "chrome-extension://abcdef", OriginVerdict::Pass),
        ("file://", "file://", OriginVerdict::Pass),
        ("file://", "null", OriginVerdict::Refuse),
        ("file://", "file:///etc", OriginVerdict::Refuse),
        ("app://.", "app://.", OriginVerdict::Pass),
        ("app://.", "app://", OriginVerdict::Refuse),
        ("app://.", "app://a", OriginVerdict::Refuse),
        ("tauri://localhost", "tauri://localhost:1", OriginVerdict::Refuse),
        ("moz-extension://0a-1b", "MOZ-extension://0a-1b", OriginVerdict::Pass),
        ("https://a.example, https://b.example", "https://b.example", OriginVerdict::Pass),
        ("https://a.example,https://b.example", "https://c.example", OriginVerdict::Refuse),
    ] {
        assert_eq!(origins(pattern).upgrade(Some(origin)), expected, "{pattern} against {origin}");
    }
}

#[test]
fn a_wildcard_matches_subdomains_of_any_depth_but_not_the_domain_itself() {
    for (pattern, origin, expected) in [
        ("https://*.example.com", "https://a.example.com", OriginVerdict::Pass),
        ("https://*.example.com", "https://a.b.EXAMPLE.com", OriginVerdict::Pass),
        ("https://*.example.com", "https://example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://a..example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://evilexample.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://a.example.com.evil.test", OriginVerdict::Refuse),
        ("https://*.example.com", "https://evil.test/.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://evil.test?.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://evil.test@a.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://ä.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://*.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "http://a.example.com", OriginVerdict::Refuse),
        ("https://*.example.com", "https://a.example.com:8443", OriginVerdict::Refuse),
        ("https://*.example.com:8443", "https://a.example.com:8443", OriginVerdict::Pass),
        ("https://example.com,https://*.example.com", "https://example.com", OriginVerdict::Pass),
    ] {
        assert_eq!(origins(pattern).upgrade(Some(origin)), expected, "{pattern} against {origin}");
    }
}

#[test]
fn a_request_without_origin_passes() {
    assert_eq!(origins("https://a.example").upgrade(None), OriginVerdict::Pass);
}

#[test]
fn the_answer_names_the_origin_that_asked_and_then_varies() {
    let several = origins("https://a.example,https://*.b.example");
    assert_eq!(several.allow(Some("https://x.b.example")), AllowOrigin::ThisOne("https://x.b.example"));
    assert_eq!(several.allow(Some("https://evil.test")), AllowOrigin::Nobody);
    assert_eq!(several.allow(None), AllowOrigin::Nobody);
    assert_eq!(AllowOrigin::ThisOne("https://a.example").vary(), Some("Origin"));
    assert_eq!(AllowOrigin::Nobody.vary(), Some("Origin"));
    assert_eq!(AllowOrigin::Nobody.value(), None);
    let wildcard = origins("https://*.b.example");
    assert_eq!(wildcard.allow(None), AllowOrigin::Nobody);
}

#[test]
fn a_single_origin_is_named_to_everybody_as_a_browser_writes_it() {
    let single = origins("HTTPS://A.Example:443");
    for origin in [None, Some("https://a.example"), Some("https://evil.test")] {
        assert_eq!(single.allow(origin), AllowOrigin::Always("https://a.example"));
    }
}

#[test]
fn what_is_wrong_with_a_list_is_said() {
    for (text, expected) in [
        ("", OriginsError::Empty),
        ("https://a.example,", OriginsError::Empty),
        ("https://a.example,*", OriginsError::AnyAmongOthers),
        ("example.com", OriginsError::NoScheme("example.com".into())),
        ("*.example.com", OriginsError::NoScheme("*.example.com".into())),
        ("://example.com", OriginsError::NoScheme("://example.com".into())),
        ("1http://a.example", OriginsError::NoScheme("1http://a.example".into())),
        ("https//a.example", OriginsError::NoScheme("https//a.example".into())),
        ("https://a.example/", OriginsError::MoreThanAnOrigin("https://a.example/".into())),
        ("https://a.example?x", OriginsError::MoreThanAnOrigin("https://a.example?x".into())),
        ("https://u:p@a.example", OriginsError::MoreThanAnOrigin("https://u:p@a.example".into())),
        ("https://*", OriginsError::MisplacedWildcard("https://*".into())),
        ("https://*.com", OriginsError::MisplacedWildcard("https://*.com".into())),
        ("https://*example.com", OriginsError::MisplacedWildcard("https://*example.com".into())),
        ("https://a.*.example.com", OriginsError::MisplacedWildcard("https://a.*.example.com".into())),
        ("https://*.*.example.com", OriginsError::MisplacedWildcard("https://*.*.example.com".into())),
        ("https://*.[::1]", OriginsError::MisplacedWildcard("https://*.[::1]".into())),
        ("https://", OriginsError::BadHost("https://".into())),
        ("app://a b", OriginsError::BadHost("app://a b".into())),
        ("app://*.a.b", OriginsError::BadHost("app://*.a.b".into())),
        ("file:///", OriginsError::MoreThanAnOrigin("file:///".into())),
        ("https://:3000", OriginsError::BadHost("https://:3000".into())),
        ("https://a..example", OriginsError::BadHost("https://a..example".into())),
        ("https://a example", OriginsError::BadHost("https://a example".into())),
        ("https://ä.example", OriginsError::BadHost("https://ä.example".into())),
        ("https://[::1", OriginsError::BadHost("https://[::1".into())),
        ("https://[nonsense]", OriginsError::BadHost("https://[nonsense]".into())),
        ("https://a.example:", OriginsError::BadPort("https://a.example:".into())),
        ("https://a.example:0", OriginsError::BadPort("https://a.example:0".into())),
        ("https://a.example:65536", OriginsError::BadPort("https://a.example:65536".into())),
        ("https://a.example:http", OriginsError::BadPort("https://a.example:http".into())),
        ("https://a.example:*", OriginsError::BadPort("https://a.example:*".into())),
    ] {
        assert_eq!(Origins::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn the_server_itself_is_an_origin_where_nobody_else_can_have_its_name() {
    for (origin, host, expected) in [
        ("http://192.0.2.1:3000", Some("192.0.2.1:3000"), true),
        ("ws://192.0.2.1", Some("192.0.2.1:80"), true),
        ("http://[::1]:3000", Some("[::1]:3000"), true),
        ("http://LOCALHOST:3000", Some("localhost:3000"), true),
        ("https://signal.example", Some("signal.example"), true),
        ("https://signal.example", Some("SIGNAL.example:443"), true),
        ("wss://signal.example:8443", Some("signal.example:8443"), true),
        // Whoever owns the name can have it resolved to us.
        ("http://evil.example", Some("evil.example"), false),
        ("http://evil.example:3000", Some("evil.example:3000"), false),
        ("http://localhost.evil.example", Some("localhost.evil.example"), false),
        ("http://192.0.2.1.evil.example", Some("192.0.2.1.evil.example"), false),
        ("http://192.0.2.1:3000", Some("192.0.2.1:3001"), false),
        ("http://192.0.2.1", Some("192.0.2.1:443"), false),
        ("https://192.0.2.1", Some("192.0.2.1:80"), false),
        ("https://evil.example", Some("signal.example"), false),
        ("https://", Some(""), false),
        ("http://", Some(""), false),
        ("null", Some("null"), false),
        ("file://", Some(""), false),
        ("app://localhost", Some("localhost"), false),
        ("https://signal.example", None, false),
        ("https://signal.example/", Some("signal.example/"), false),
    ] {
        assert_eq!(is_own(origin, host), expected, "{origin} at {host:?}");
    }
}

#[test]
fn whoever_is_named_may_send_with_credentials() {
    let lines = |allow: AllowOrigin<'_>| {
        let mut out = Vec::new();
        allow.write(&mut out);
        String::from_utf8(out).unwrap()
    };
    for allow in [AllowOrigin::Always("https://a.example"), AllowOrigin::ThisOne("https://a.example")] {
        assert!(lines(allow).contains("\r\nAccess-Control-Allow-Credentials: true\r\n"), "{allow:?}");
    }
    for allow in [AllowOrigin::Always("*"), AllowOrigin::Nobody] {
        assert!(!lines(allow).contains("Credentials"), "{allow:?}");
    }
}

#[test]
fn a_list_is_shown_as_it_is_read() {
    let text = "https://a.example,https://*.b.example:8443,null,file://,app://.";
    assert_eq!(origins(text).to_string(), text);
    assert_eq!(origins(" * ").to_string(), "*");
}
