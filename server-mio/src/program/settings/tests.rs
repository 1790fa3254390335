//! The settings as their user meets them: environment and arguments in, settings or one line out.

mod refusals;

use super::sources::flag_of;
use super::*;
use log::LevelFilter;
use peerpigeon_core::DuplicatePeer;

const MIB: u64 = 1_024 * 1_024;

fn from(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Command, SettingsError> {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    Settings::from(environment, arguments.iter().map(OsString::from), Some(1_024 * MIB))
}

fn settings(environment: &[(&str, &str)], arguments: &[&str]) -> Settings {
    match from(environment, arguments) {
        Ok(Command::Serve(settings)) => *settings,
        other => panic!("{environment:?} {arguments:?} gave {other:?}"),
    }
}

fn complaint(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let line = from(environment, arguments).unwrap_err().to_string();
    assert!(!line.chars().any(char::is_control), "one line: {line:?}");
    line
}

fn checked(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    match from(environment, &[arguments, &["--check"]].concat()) {
        Ok(Command::Check(settings, given)) => effective(&settings, &given),
        other => panic!("{environment:?} {arguments:?} gave {other:?}"),
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let settings = settings(&[], &[]);
    assert_eq!(settings.port, 3_000);
    assert_eq!(
        settings.host.addresses(),
        ["127.0.0.1", "::1"].map(|ip| ip.parse::<std::net::IpAddr>().unwrap())
    );
    assert_eq!(settings.max_connections, 1_000);
    assert_eq!(settings.cleanup_interval, 60_000);
    assert_eq!(settings.peer_timeout, 300_000);
    assert_eq!(settings.cors_origin.to_string(), "*");
    assert_eq!(settings.max_message_size, 1_048_576);
    assert_eq!((settings.introductions, settings.reintroduce_interval), (16, 340_000));
    assert_eq!(settings.duplicate_peer, DuplicatePeer::Challenge);
    assert_eq!((settings.ping_interval, settings.pong_timeout), (25_000, 20_000));
    assert_eq!((settings.handshake_timeout, settings.shutdown_timeout), (10_000, 8_000));
    assert_eq!((settings.message_ttl, settings.mailbox_messages), (300_000, 64));
    assert_eq!((settings.mailbox_bytes, settings.mailbox_total_bytes), (65_536, 16_777_216));
    assert_eq!((settings.message_rate, settings.message_burst), (200, 2_000));
    assert_eq!((settings.max_connections_per_ip, settings.connection_rate_per_ip), (256, 50));
    assert_eq!((settings.http_rate, settings.http_window), (1_000, 900_000));
    assert_eq!(settings.limit_exempt.to_string(), "127.0.0.0/8,::1");
    assert!(settings.trusted_proxies.is_empty());
    assert_eq!(settings.max_queue_size, 2 * 1_048_576);
    assert_eq!(settings.memory_budget, 256 * 1_048_576);
    assert_eq!(settings.auth_token, None);
    assert_eq!((settings.log_level, settings.log_format), (LevelFilter::Info, LogFormat::Text));
}

#[test]
fn the_defaults_of_the_core_are_the_documented_ones() {
    assert_eq!(settings(&[], &[]).limits(), Limits::default());
}

#[test]
fn each_setting_of_the_core_reaches_it() {
    let default = Limits::default();
    let changed = |name: &str, value: &str| settings(&[(name, value)], &[]).limits();
    for (name, value, expected) in [
        ("MAX_CONNECTIONS", "7", Limits { connections: 7, ..default.clone() }),
        ("MAX_CONNECTIONS_PER_IP", "7", Limits { connections_per_address: 7, ..default.clone() }),
        ("DUPLICATE_PEER", "reject", Limits { duplicate_peer: DuplicatePeer::Reject, ..default.clone() }),
        ("DUPLICATE_PEER", "replace", Limits { duplicate_peer: DuplicatePeer::Replace, ..default.clone() }),
        ("INTRODUCTIONS", "7", Limits { introductions: 7, ..default.clone() }),
        ("REINTRODUCE_INTERVAL", "700", Limits { reintroduce_interval_ms: 700, ..default.clone() }),
        ("PING_INTERVAL", "700", Limits { ping_interval_ms: 700, ..default.clone() }),
        ("PONG_TIMEOUT", "700", Limits { pong_timeout_ms: 700, ..default.clone() }),
        ("PEER_TIMEOUT", "70000", Limits { peer_timeout_ms: 70_000, ..default.clone() }),
        ("MESSAGE_RATE", "7", Limits { message_rate_per_second: 7, ..default.clone() }),
        ("MAX_JSON_DEPTH", "8", Limits { nesting_levels: 8, ..default.clone() }),
        ("MESSAGE_BURST", "7", Limits { message_burst: 7, ..default.clone() }),
        ("BYTE_RATE", "7000", Limits { byte_rate_per_second: 7_000, ..default.clone() }),
        ("BYTE_BURST", "7000000", Limits { byte_burst: 7_000_000, ..default.clone() }),
        ("MAX_FAN_OUT", "7000", Limits { fan_out_bytes: 7_000, ..default.clone() }),
        ("MAX_ACQUAINTANCES", "70", Limits { acquaintances: 70, ..default.clone() }),
        ("MAX_NETWORKS", "7", Limits { networks: 7, ..default.clone() }),
        ("MAX_NETWORK_NAME", "70", Limits { network_name_bytes: 70, ..default.clone() }),
        ("MAX_ANNOUNCED_DATA", "70", Limits { announced_data_bytes: 70, ..default.clone() }),
        ("MESSAGE_TTL", "700", Limits { message_ttl_ms: 700, ..default.clone() }),
        ("MAILBOX_MESSAGES", "7", Limits { mailbox_messages: 7, ..default.clone() }),
        ("MAILBOX_BYTES", "7000", Limits { mailbox_bytes: 7_000, ..default.clone() }),
        ("MAILBOX_TOTAL_BYTES", "70000", Limits { mailbox_total_bytes: 70_000, ..default.clone() }),
        ("CLEANUP_INTERVAL", "700", Limits { cleanup_interval_ms: 700, ..default.clone() }),
    ] {
        assert_eq!(changed(name, value), expected, "{name}");
    }
}

/// Two values of each setting that differ from each other and from the default.
fn two_values(row: &Setting) -> [String; 2] {
    let (a, b) = match (row.name, row.kind) {
        // What must fit with other settings.
        ("MAX_QUEUE_SIZE", _) => ("3000000", "4000000"),
        ("MEMORY_BUDGET", _) => ("30000000", "40000000"),
        ("BYTE_BURST", _) => ("2000000", "3000000"),
        ("MAX_MESSAGE_SIZE", _) => ("2000", "3000"),
        ("PING_INTERVAL", _) => ("5000", "6000"),
        ("PEER_TIMEOUT", _) => ("70000", "80000"),
        ("MAILBOX_TOTAL_BYTES", _) => ("100000", "200000"),
        (_, ValueKind::Number { least, most, .. }) => {
            assert!(most - least > 10, "{}", row.name);
            return [(least + 1).to_string(), (least + 2).to_string()];
        }
        (_, ValueKind::Word(words)) => {
            let mut others = words.iter().filter(|word| **word != row.default);
            let first = others.next().unwrap();
            // Of two words one is the default, which differs from the first as well.
            return [first, others.next().unwrap_or(&row.default)].map(|word| (*word).to_owned());
        }
        ("PROXY_PROTOCOL", _) => ("goes", "with another"),
        (_, ValueKind::Mode) => ("600", "0"),
        (_, ValueKind::Host) => ("0.0.0.0", "::1"),
        (_, ValueKind::Url) => ("wss://signal.example.org", "ws://10.0.0.1:8080/ws"),
        (_, ValueKind::Endpoint) => ("127.0.0.1:9464", "[::1]:0"),
        (_, ValueKind::Path) => ("/dev/null", "/dev/../dev/null"),
        (_, ValueKind::Addresses) => ("10.0.0.0/8", "192.0.2.1,2001:db8::/32"),
        (_, ValueKind::Origins) => ("https://a.example", "https://*.b.example,null"),
        (_, ValueKind::Tokens) => ("first", "second"),
        (_, ValueKind::Secret) => ("first secret of thirty-two bytes", "second secret, which has more bytes"),
        (_, ValueKind::Store) => ("postgres://a@localhost/mail", "postgres://b:c@[::1]:7?sslmode=disable"),
        (_, ValueKind::Bus) => ("redis://localhost", "unix:///run/redis.sock,redis://:b@[::1]:7"),
        (_, ValueKind::Prefix) => ("staging", "a:b.c_d-1"),
        (_, ValueKind::File) => ("goes", "with another"),
        (_, ValueKind::PublicKey) => return [1, 2].map(public_key_file),
    };
    [a.to_owned(), b.to_owned()]
}

/// What cannot be given alone.
fn needs_another(row: &Setting) -> bool {
    let is_built = (row.kind != ValueKind::Store || cfg!(feature = "postgres"))
        && (row.kind != ValueKind::Bus || cfg!(feature = "cluster"));
    row.name == "CLUSTER_KEY" || row.kind == ValueKind::File || row.name == "PROXY_PROTOCOL" || !is_built
}

/// The name of a file with an Ed25519 public key. The files are not written here, where several tests read them at once.
fn public_key_file(number: u8) -> String {
    format!("{}/src/program/settings/tests/ed25519-{number}.pem", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn each_setting_is_a_variable_and_a_flag_in_both_forms() {
    for row in SETTINGS.iter().filter(|row| !needs_another(row)) {
        let [value, _] = &two_values(row);
        let flag = sources::flag_of(row.name);
        let own = format!("PEERPIGEON_{}", row.name);
        let by_variable = settings(&[(row.name, value)], &[]);
        assert_ne!(by_variable, settings(&[], &[]), "{} changes something", row.name);
        assert_eq!(settings(&[(&own, value)], &[]), by_variable, "{own}");
        assert_eq!(settings(&[], &[&flag, value]), by_variable, "{flag} VALUE");
        assert_eq!(settings(&[], &[&format!("{flag}={value}")]), by_variable, "{flag}=VALUE");
        if !row.kind.is_secret() {
            assert_eq!(row.show(&by_variable), *value, "{} is shown as it is read", row.name);
        }
    }
}

#[test]
fn flags_win_over_own_variables_which_win_over_plain_ones() {
    for row in SETTINGS.iter().filter(|row| !needs_another(row)) {
        let [winner, loser] = &two_values(row);
        let flag = sources::flag_of(row.name);
        let own = format!("PEERPIGEON_{}", row.name);
        let expected = settings(&[(row.name, winner)], &[]);
        assert_ne!(settings(&[(row.name, loser)], &[]), expected);
        assert_eq!(settings(&[(row.name, loser), (&own, winner)], &[]), expected, "{own}");
        assert_eq!(settings(&[(&own, winner), (row.name, loser)], &[]), expected, "{own} first");
        assert_eq!(settings(&[(row.name, loser)], &[&flag, winner]), expected, "{flag}");
        assert_eq!(settings(&[(&own, loser)], &[&flag, winner]), expected, "{flag}");
        assert_eq!(settings(&[], &[&flag, loser, &flag, winner]), expected, "the last {flag}");
    }
}

#[test]
fn what_has_lost_is_not_looked_at() {
    assert_eq!(settings(&[("PORT", "nonsense")], &["--port", "1"]).port, 1);
    assert_eq!(settings(&[("PORT", "nonsense"), ("PEERPIGEON_PORT", "1")], &[]).port, 1);
}

#[test]
fn what_is_not_given_follows_from_what_is() {
    let small = settings(&[("MAX_MESSAGE_SIZE", "65536")], &[]);
    assert_eq!(small.max_queue_size, 65_536 + 1_048_576);
    let memory = |memory| match Settings::from([], [], memory) {
        Ok(Command::Serve(settings)) => settings.memory_budget,
        other => panic!("{other:?}"),
    };
    assert_eq!(memory(Some(512 * MIB)), 128 * 1_048_576);
    assert_eq!(memory(None), 32 * 1_048_576);
}

#[test]
fn variables_of_others_are_none_of_our_business() {
    let others = [("PATH", "/bin"), ("MAX_CONECTIONS", "x"), ("port", "x"), ("PEERPIGEON", "x"), ("", "x")];
    assert_eq!(settings(&others, &[]), settings(&[], &[]));
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_none_of_our_business() {
    let links = [
        ("PEERPIGEON_SERVICE_HOST", "10.0.0.11"),
        ("PEERPIGEON_SERVICE_PORT", "3000"),
        ("PEERPIGEON_SERVICE_PORT_WS", "3000"),
        ("PEERPIGEON_PORT", "tcp://10.0.0.11:3000"),
        ("PEERPIGEON_PORT_3000_TCP", "tcp://10.0.0.11:3000"),
        ("PEERPIGEON_PORT_3000_TCP_PROTO", "tcp"),
        ("PEERPIGEON_PORT_3000_TCP_PORT", "3000"),
        ("PEERPIGEON_PORT_3000_TCP_ADDR", "10.0.0.11"),
        ("PEERPIGEON_PORT_53_UDP", "udp://10.0.0.11:53"),
        ("PEERPIGEON_SERVER_SERVICE_HOST", "10.0.0.11"),
        ("PEERPIGEON_SERVER_PORT", "tcp://10.0.0.11:3000"),
        ("PEERPIGEON_SERVER_PORT_3000_TCP_ADDR", "10.0.0.11"),
    ];
    assert_eq!(settings(&links, &[]), settings(&[], &[]));
    assert_eq!(settings(&[("PEERPIGEON_PORT", "4000")], &[]).port, 4_000);
    assert!(complaint(&[("PORT", "tcp://10.0.0.11:3000")], &[]).starts_with("PORT=\"tcp://"));
    assert!(complaint(&[("PEERPIGEON_HOST", "tcp://10.0.0.11:3000")], &[]).starts_with("PEERPIGEON_HOST="));
    for no_link in ["PEERPIGEON_PORT_X_TCP", "PEERPIGEON_PORT_3000", "PEERPIGEON_SERVER_PORT"] {
        assert!(complaint(&[(no_link, "3000")], &[]).contains("there is no such setting"));
    }
}

#[test]
fn help_and_version_work_whatever_else_is_wrong() {
    let broken = [("PORT", "x"), ("PEERPIGEON_X", "x"), ("TLS_KEY", "x")];
    for (arguments, expected) in [
        (vec!["--help"], Command::Help),
        (vec!["-h"], Command::Help),
        (vec!["--port", "x", "--help", "--nonsense"], Command::Help),
        (vec!["--version"], Command::Version),
        (vec!["-V"], Command::Version),
        (vec!["--check", "--version"], Command::Version),
    ] {
        assert_eq!(from(&broken, &arguments), Ok(expected), "{arguments:?}");
    }
}

#[test]
fn check_shows_each_setting_in_force_and_where_it_comes_from() {
    let environment = [("MAX_CONNECTIONS", "5"), ("PEERPIGEON_HOST", "::"), ("AUTH_TOKEN", "s3cret")];
    let text = checked(&environment, &["--port=0"]);
    let (settings, memory) = text.split_at(text.find("# memory at worst: ").unwrap());
    assert!(memory.lines().count() > 10 && memory.lines().all(|line| line.starts_with("# ")), "{memory}");
    assert_eq!(settings.lines().count(), SETTINGS.len());
    for (row, line) in SETTINGS.iter().zip(text.lines()) {
        assert!(line.starts_with(&format!("{}=", row.name)), "{line}");
    }
    for (value, source) in [
        ("MAX_CONNECTIONS=5", "MAX_CONNECTIONS"),
        ("HOST=::", "PEERPIGEON_HOST"),
        ("PORT=0", "--port"),
        ("AUTH_TOKEN=(set)", "AUTH_TOKEN"),
        ("PEER_TIMEOUT=300000", "default"),
        ("MAX_QUEUE_SIZE=2097152", "default"),
        ("MEMORY_BUDGET=268435456", "default"),
        ("TRUSTED_PROXIES=none", "default"),
    ] {
        let shown = text.lines().find(|line| line.starts_with(&format!("{value} "))).unwrap();
        assert!(shown.ends_with(&format!("  # {source}")), "{shown}");
    }
    assert!(checked(&[], &[]).contains("\nAUTH_TOKEN=(not set) "));
}

#[test]
fn the_help_names_everything_and_fits_on_a_screen() {
    let help = help();
    for row in SETTINGS {
        let flag = sources::flag_of(row.name);
        let line =
            help.lines().find(|line| line.starts_with(&format!("  {flag} {}", row.kind.placeholder())));
        assert!(line.is_some(), "{flag}");
    }
    for other in ["--check", "-h, --help", "-V, --version"] {
        assert!(help.contains(&format!("\n  {other} ")), "{other}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line.trim_end(), line);
    }
    let groups: Vec<Group> = SETTINGS.iter().map(|row| row.group).collect();
    assert!(groups.is_sorted(), "the table is in the order of the help");
}

#[test]
fn the_table_of_the_document_has_a_row_of_five_cells_for_each_setting() {
    let table = markdown_table(SETTINGS);
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(rows.len(), SETTINGS.len());
    for (row, line) in SETTINGS.iter().zip(rows) {
        assert!(line.starts_with(&format!("| `{}` | ", row.name)), "{line}");
        assert!(line.contains(&row.kind.to_string()) && line.contains(row.help), "{line}");
        assert_eq!(line.matches('|').count(), 6, "{line}");
    }
}

#[test]
fn the_table_is_in_order() {
    for row in SETTINGS {
        assert_eq!(
            SETTINGS.iter().filter(|other| other.name == row.name).count(),
            1,
            "{} is there once",
            row.name
        );
        assert!(row.help.ends_with('.'), "{} has a sentence", row.name);
        assert_eq!(row.name, row.name.to_ascii_uppercase());
    }
}

#[test]
fn values_are_read_as_they_are_handed_over() {
    for (name, handed, shown) in [
        ("PORT", " 4000\n", "4000"),
        ("PORT", "\"4000\"", "4000"),
        ("PORT", "", "3000"),
        ("HOST", "''", "localhost"),
        ("HOST", "LocalHost", "localhost"),
        ("TRUSTED_PROXIES", "None", "none"),
        ("CORS_ORIGIN", "'https://a.example, https://b.example'\n", "https://a.example,https://b.example"),
        ("LOG_LEVEL", "Info", "info"),
        ("LOG_LEVEL", "WARN ", "warn"),
        ("LOG_FORMAT", "JSON", "json"),
        ("DUPLICATE_PEER", "Replace", "replace"),
        ("DEMO", "TRUE", "on"),
        ("DEMO", "0", "off"),
        ("TLS_CERT", "", "(not set)"),
        ("ADMIN_LISTEN", "", "(not set)"),
        ("CONFIG_FILE", "", "(not set)"),
    ] {
        for (environment, arguments) in
            [(vec![(name, handed)], vec![]), (vec![], vec![flag_of(name), handed.to_owned()])]
        {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let settings = settings(&environment, &arguments);
            assert_eq!(table::row(name).show(&settings), shown, "{name}={handed:?}");
        }
    }
    // What is given empty leaves its place to the next.
    let settings = settings(&[("PORT", "4000"), ("PEERPIGEON_PORT", "")], &["--port", " "]);
    assert_eq!(settings.port, 4_000);
}

#[test]
fn a_token_may_be_mounted_as_a_file() {
    let path = std::env::temp_dir().join(format!("peerpigeon-token-{}", std::process::id()));
    std::fs::write(&path, "s3cret\n").unwrap();
    let given = [("AUTH_TOKEN", path.to_str().unwrap())];
    assert!(settings(&given, &[]).auth_token.is_some_and(|tokens| tokens.contains(b"s3cret")));
    std::fs::remove_file(&path).unwrap();
    let line = from(&given, &[]).unwrap_err().to_string();
    assert!(line.contains("what begins with / is a file: No such file"), "{line}");
}
