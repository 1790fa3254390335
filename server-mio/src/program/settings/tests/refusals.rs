//! What is refused, and in which words.

use super::*;
use std::os::unix::ffi::OsStringExt as _;

#[test]
fn a_number_is_within_its_bounds() {
    for row in SETTINGS {
        let ValueKind::Number { least, most, zero, .. } = row.kind else { continue };
        for good in [least, most].into_iter().chain(zero.map(|_| 0)) {
            match from(&[(row.name, &good.to_string())], &[]) {
                Ok(Command::Serve(settings)) => assert_eq!(row.show(&settings), good.to_string()),
                // At the edge of what is allowed alone it may not go with the other defaults.
                Err(SettingsError::Conflict { .. }) => {}
                other => panic!("{}={good} gave {other:?}", row.name),
            }
        }
        let below = least.checked_sub(1).filter(|below| *below != 0 || zero.is_none());
        for bad in [Some(most + 1), below].into_iter().flatten() {
            let line = complaint(&[(row.name, &bad.to_string())], &[]);
            assert_eq!(line, format!("{}=\"{bad}\": allowed is {}", row.name, row.kind));
        }
    }
}

#[test]
fn what_is_no_number_is_none() {
    for row in SETTINGS.iter().filter(|row| matches!(row.kind, ValueKind::Number { .. })) {
        for bad in ["x", "-1", "+50", "5 0", "5e1", "50.0", "0x50", "5_0", "50ms", "５０"] {
            let line = complaint(&[(row.name, bad)], &[]);
            assert_eq!(line, format!("{}={bad:?}: allowed is {}", row.name, row.kind));
        }
        let line = complaint(&[(row.name, "18446744073709551616")], &[]);
        assert!(line.contains("allowed is a whole number from"), "{line}");
    }
}

#[test]
fn a_bad_value_is_named_with_where_it_came_from_and_what_is_allowed() {
    let port = "allowed is a whole number from 1 to 65535, or 0 (any free one, which is printed)";
    let host =
        "allowed is localhost, 0.0.0.0, :: or another address of this machine, or unix:/path/of/a/socket";
    let list = "allowed is a comma list of addresses and networks such as 10.0.0.0/8,::1, or none";
    let origins =
        "allowed is * or a comma list of origins such as https://example.com, https://*.example.com, null";
    for (environment, arguments, expected) in [
        (vec![("PORT", "70000")], vec![], format!("PORT=\"70000\": {port}")),
        (vec![("PEERPIGEON_PORT", "x")], vec![], format!("PEERPIGEON_PORT=\"x\": {port}")),
        (vec![("PORT", "1")], vec!["--port", "x"], format!("--port=\"x\": {port}")),
        (vec![], vec!["--port", "--check"], format!("--port=\"--check\": {port}")),
        (vec![("HOST", "example.com")], vec![], format!("HOST=\"example.com\": {host}")),
        (vec![("HOST", "127.0.0.1:80")], vec![], format!("HOST=\"127.0.0.1:80\": {host}")),
        (vec![("HOST", "*")], vec![], format!("HOST=\"*\": {host}")),
        (vec![("HOST", "unix:relative")], vec![], format!("HOST=\"unix:relative\": {host}")),
        (vec![("HOST", "unix:")], vec![], format!("HOST=\"unix:\": {host}")),
        (
            vec![("SOCKET_MODE", "680")],
            vec![],
            "SOCKET_MODE=\"680\": allowed is an octal number from 0 to 777, as of chmod".to_owned(),
        ),
        (
            vec![("PROXY_PROTOCOL", "on")],
            vec![],
            "PROXY_PROTOCOL: goes with TRUSTED_PROXIES, which is not set".to_owned(),
        ),
        (
            vec![("DUPLICATE_PEER", "yes")],
            vec![],
            "DUPLICATE_PEER=\"yes\": allowed is challenge, reject or replace".to_owned(),
        ),
        (
            vec![("LOG_LEVEL", "verbose")],
            vec![],
            "LOG_LEVEL=\"verbose\": allowed is off, error, warn, info, debug or trace".to_owned(),
        ),
        (vec![("LOG_FORMAT", "XML")], vec![], "LOG_FORMAT=\"XML\": allowed is text or json".to_owned()),
        (
            vec![("LIMIT_EXEMPT", "10.0.0.1/8")],
            vec![],
            format!(
                "LIMIT_EXEMPT=\"10.0.0.1/8\": \
                 \"10.0.0.1/8\" has bits behind its prefix, the network is 10.0.0.0/8; {list}"
            ),
        ),
        (
            vec![("TRUSTED_PROXIES", "10.0.0.1,nginx")],
            vec![],
            format!(
                "TRUSTED_PROXIES=\"10.0.0.1,nginx\": \"nginx\" is neither an address nor a network; {list}"
            ),
        ),
        (
            vec![("CORS_ORIGIN", "example.com")],
            vec![],
            format!(
                "CORS_ORIGIN=\"example.com\": \"example.com\" lacks its scheme, such as https://; {origins}"
            ),
        ),
        (vec![("PORT", "1\n2")], vec![], format!("PORT=\"1\\n2\": {port}")),
    ] {
        assert_eq!(complaint(&environment, &arguments), expected);
    }
}

#[test]
fn a_long_value_does_not_make_a_long_line() {
    for name in ["PORT", "TRUSTED_PROXIES", "CORS_ORIGIN", "PEERPIGEON_HOST"] {
        let line = complaint(&[(name, &"ä".repeat(10_000))], &[]);
        assert!(line.chars().count() < 450, "{line}");
    }
    assert!(complaint(&[], &[&"ä".repeat(10_000)]).chars().count() < 200);
    assert!(complaint(&[], &[&format!("--{}", "ä".repeat(10_000))]).chars().count() < 200);
    assert!(complaint(&[(&format!("PEERPIGEON_{}", "X".repeat(10_000)), "")], &[]).chars().count() < 200);
}

#[test]
fn what_is_not_utf_8_is_refused_where_it_is_a_setting_and_ignored_where_it_is_not() {
    let bad = || OsString::from_vec(vec![b'a', 0xff]);
    let refused = |environment: Vec<(OsString, OsString)>, arguments: Vec<OsString>| {
        Settings::from(environment, arguments, None).unwrap_err().to_string()
    };
    assert_eq!(
        refused(vec![("LOG_FORMAT".into(), bad())], vec![]),
        "LOG_FORMAT=\"a\u{fffd}\": it is not UTF-8; allowed is text or json"
    );
    assert_eq!(
        refused(vec![], vec!["--log-format".into(), bad()]),
        "--log-format=\"a\u{fffd}\": it is not UTF-8; allowed is text or json"
    );
    assert!(refused(vec![], vec![bad()]).contains("belongs to no flag"));
    let others = vec![(bad(), "x".into()), ("PATH".into(), bad())];
    assert!(matches!(Settings::from(others, vec![], None), Ok(Command::Serve(_))));
}

#[test]
fn settings_that_do_not_go_together_are_refused_and_both_are_named() {
    for (environment, arguments, expected) in [
        (
            vec![("PEER_TIMEOUT", "30000")],
            vec![],
            "PEER_TIMEOUT=30000 with PING_INTERVAL=25000: PEER_TIMEOUT must be 0 or above 30000, \
             1.2 times PING_INTERVAL, or idle peers are closed before they are pinged",
        ),
        (
            vec![("PEERPIGEON_PEER_TIMEOUT", "1200")],
            vec!["--ping-interval", "1000"],
            "PEERPIGEON_PEER_TIMEOUT=1200 with --ping-interval=1000: PEER_TIMEOUT must be 0 or above 1200, \
             1.2 times PING_INTERVAL, or idle peers are closed before they are pinged",
        ),
        (
            vec![("MAX_QUEUE_SIZE", "1049599")],
            vec![],
            "MAX_QUEUE_SIZE=1049599 with MAX_MESSAGE_SIZE=1048576: \
             MAX_QUEUE_SIZE must be 1049600 at least, to hold one message",
        ),
        (
            vec![],
            vec!["--memory-budget", "2162687"],
            "--memory-budget=2162687 with MAX_MESSAGE_SIZE=1048576: \
             MEMORY_BUDGET must be 2162688 at least, to take one message in",
        ),
        (
            vec![("MEMORY_BUDGET", "2999999"), ("MAX_QUEUE_SIZE", "3000000")],
            vec![],
            "MEMORY_BUDGET=2999999 with MAX_QUEUE_SIZE=3000000: MEMORY_BUDGET must be MAX_QUEUE_SIZE at least",
        ),
        (
            vec![("MAILBOX_TOTAL_BYTES", "65535")],
            vec![],
            "MAILBOX_TOTAL_BYTES=65535 with MAILBOX_BYTES=65536: \
             MAILBOX_TOTAL_BYTES must be MAILBOX_BYTES at least",
        ),
    ] {
        assert_eq!(complaint(&environment, &arguments), expected);
    }
    for good in [
        vec![("PEER_TIMEOUT", "30001")],
        vec![("PEER_TIMEOUT", "0")],
        vec![("PEER_TIMEOUT", "10"), ("PING_INTERVAL", "0")],
        vec![("MAX_QUEUE_SIZE", "1049600")],
        vec![("MEMORY_BUDGET", "2162688")],
        vec![("MAILBOX_TOTAL_BYTES", "65536")],
    ] {
        assert!(from(&good, &[]).is_ok(), "{good:?}");
    }
}

#[test]
fn what_looks_like_a_setting_but_is_none_is_refused_with_the_nearest() {
    for (environment, arguments, expected) in [
        (
            vec![("PEERPIGEON_MAX_CONECTIONS", "1")],
            vec![],
            "PEERPIGEON_MAX_CONECTIONS: there is no such setting; did you mean PEERPIGEON_MAX_CONNECTIONS?",
        ),
        (
            vec![("PEERPIGEON_LOGLEVEL", "1")],
            vec![],
            "PEERPIGEON_LOGLEVEL: there is no such setting; did you mean PEERPIGEON_LOG_LEVEL?",
        ),
        (
            vec![("PEERPIGEON_PORTS", "1")],
            vec![],
            "PEERPIGEON_PORTS: there is no such setting; did you mean PEERPIGEON_PORT?",
        ),
        (
            vec![("PEERPIGEON_DATABASE_URL_OF_THE_CLUSTER", "1")],
            vec![],
            "PEERPIGEON_DATABASE_URL_OF_THE_CLUSTER: there is no such setting; see --help",
        ),
        (vec![("PEERPIGEON_", "1")], vec![], "PEERPIGEON_: there is no such setting; see --help"),
        (
            vec![],
            vec!["--max_connections", "5"],
            "--max_connections: there is no such flag; did you mean --max-connections?",
        ),
        (vec![], vec!["--prot", "80"], "--prot: there is no such flag; did you mean --port?"),
        (vec![], vec!["--prot=80"], "--prot: there is no such flag; did you mean --port?"),
        (vec![], vec!["--chekc"], "--chekc: there is no such flag; did you mean --check?"),
        (vec![], vec!["--something-else"], "--something-else: there is no such flag; see --help"),
        (vec![], vec!["-p", "80"], "-p: there is no such flag; see --help"),
        (vec![], vec!["3000"], "\"3000\": belongs to no flag; see --help"),
        (vec![], vec!["--", "--port", "80"], "\"--port\": belongs to no flag; see --help"),
        (vec![], vec!["--check=yes"], "--check: takes no value"),
        (
            vec![],
            vec!["--port"],
            "--port: needs a value, a whole number from 1 to 65535, or 0 (any free one, which is printed)",
        ),
    ] {
        assert_eq!(complaint(&environment, &arguments), expected);
    }
}

#[test]
fn a_certificate_and_its_key_go_together_and_are_looked_at() {
    let lonely = |name: &str| complaint(&[(name, "/some/file")], &[]);
    assert_eq!(lonely("TLS_CERT"), "TLS_CERT: goes with TLS_KEY, which is not set");
    assert_eq!(lonely("PEERPIGEON_TLS_KEY"), "PEERPIGEON_TLS_KEY: goes with TLS_CERT, which is not set");
    let both = [("TLS_CERT", "/no/such\nfile"), ("TLS_KEY", "/no/such/file")];
    let expected = if cfg!(feature = "tls") {
        "TLS_CERT: /no/such\\nfile: No such file or directory (os error 2)"
    } else {
        "TLS_CERT: this build cannot do that; it does not start as if it could"
    };
    assert_eq!(complaint(&both, &[]), expected);
    assert_eq!(complaint(&both, &["--check"]), expected);
    assert_eq!(complaint(&[("TLS_CERT", ""), both[1]], &[]), lonely("TLS_KEY"));
}

#[test]
fn secrets_are_never_shown() {
    for bad in ["s3cret s3cret", "s3cret,", "schlüssel-s3cret"] {
        for (environment, arguments) in [
            (vec![("AUTH_TOKEN", bad)], vec![]),
            (vec![("PEERPIGEON_AUTH_TOKEN", bad)], vec![]),
            (vec![], vec!["--auth-token", bad]),
        ] {
            let line = complaint(&environment, &arguments);
            assert!(line.contains("=(hidden): ") && !line.contains("s3cret"), "{line}");
        }
    }
    let given = [("AUTH_TOKEN", "s3cret")];
    assert!(!checked(&given, &[]).contains("s3cret"));
    assert!(!format!("{:?}", from(&given, &["--check"])).contains("s3cret"));
    assert!(!format!("{:?}", settings(&given, &[])).contains("s3cret"));
}

#[test]
fn an_empty_token_does_not_open_the_door() {
    for empty in ["", " \n", "\"\""] {
        assert_eq!(
            complaint(&[("AUTH_TOKEN", empty)], &[]),
            "AUTH_TOKEN=(hidden): a token is empty; \
             allowed is visible ASCII characters, several tokens apart by commas, or the absolute path of a file with them"
        );
    }
}

#[test]
fn a_secret_is_not_shown_in_whichever_setting_it_stands() {
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\n-----END PRIVATE KEY-----\n";
    let in_one_line = key.replace('\n', "\\n");
    let token = "s3cret5f4dcc3b5aa765d61d8327deb882cf99";
    for row in SETTINGS {
        for secret in [key, &in_one_line, token] {
            let flag = format!("--{}", row.name.to_ascii_lowercase().replace('_', "-"));
            for arguments in [vec![flag.as_str(), secret], vec![&flag, secret, "--check"]] {
                let shown = match from(&[], &arguments) {
                    Err(error) => error.to_string(),
                    Ok(Command::Check(settings, given)) => effective(&settings, &given),
                    Ok(other) => format!("{other:?}"),
                };
                assert!(!shown.contains("MC4CAQ") && !shown.contains("s3cret5f"), "{shown}");
            }
        }
    }
    for arguments in [vec![token], vec!["token", "--peer-id", token], vec!["--", token]] {
        let line = complaint(&[], &arguments);
        assert!(line.contains("(hidden)") && !line.contains("s3cret5f"), "{line}");
    }
}

#[test]
fn a_certificate_may_be_given_as_text_and_is_never_shown() {
    if cfg!(feature = "tls") {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let in_one_line = key.replace('\n', "\\n");
        for key in [key.as_str(), &in_one_line] {
            let given = [("TLS_CERT", chain.as_str()), ("TLS_KEY", key)];
            let shown = checked(&given, &[]) + &format!("{:?}", settings(&given, &[]));
            assert!(shown.contains("TLS_KEY=(PEM)") && !shown.contains("BEGIN"), "{shown}");
        }
        let line = complaint(&[("TLS_CERT", &chain), ("TLS_KEY", &chain)], &[]);
        assert!(line.starts_with("TLS_KEY: (PEM): ") && !line.contains("BEGIN"), "{line}");
    }
}

#[test]
fn check_refuses_what_serving_would_refuse() {
    assert!(complaint(&[("PORT", "x")], &["--check"]).starts_with("PORT=\"x\""));
    assert!(complaint(&[("PEER_TIMEOUT", "30000")], &["--check"]).starts_with("PEER_TIMEOUT=30000 with"));
}
