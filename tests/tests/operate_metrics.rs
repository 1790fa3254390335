//! `/metrics`: what it says, whether Prometheus understands it, and whether document, dashboard and alerts agree
//! with it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::Stdio;

use peerpigeon_tests::tools::{repository, succeed, tool};
use peerpigeon_tests::{Peer, Server, http, id, wait_until, websocket};
use serde_json::Value;

/// The samples of an answer by name with labels.
fn samples(server: &Server) -> BTreeMap<String, f64> {
    let answer = http::get(server.address(), "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
        })
        .collect()
}

/// Name to kind and labels, as `gauge` and `state`.
type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// The families of an answer. `le` belongs to every histogram and is not counted.
fn families(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            let before = families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            assert_eq!(before, None, "{name} comes twice");
        } else if let Some((name, labels)) = line.split_once('{') {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            let (_, names) = families.get_mut(name).unwrap_or_else(|| panic!("no TYPE before {line}"));
            let labels = labels.split_once('}').expect("an end").0;
            // No value holds a comma and a name behind it.
            names.extend(labels.split("\",").map(|label| label.split('=').next().unwrap().to_owned()));
            names.remove("le");
        }
    }
    families
}

/// The rows of the table in the document.
fn documented() -> Families {
    let path = repository().join("docs/OPERATIONS.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.split_once("<!-- metrics -->").unwrap().1.split_once("<!-- /metrics -->").unwrap().0;
    let bare = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = table.trim().lines().skip(2).map(|line| {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').collect();
        let [name, kind, labels, advice] = cells[..] else { panic!("four columns: {line}") };
        assert!(advice.trim().ends_with('.'), "{line} says what to do");
        let labels = labels.split(',').map(bare).filter(|label| !label.is_empty()).collect();
        (bare(name), (bare(kind), labels))
    });
    rows.collect()
}

/// A server that has seen a bit of everything.
fn busy_server() -> Server {
    let server = Server::start();
    let mut a = Peer::announced(&server, &id::of('a'), "net");
    let mut b = Peer::announced(&server, &id::of('b'), "net");
    for peer in [&mut a, &mut b] {
        peer.expect("peer-discovered");
    }
    a.signal("offer", &id::of('b'), "net", r#"{"sdp":"v=0"}"#);
    b.expect("offer");
    a.send("nonsense");
    a.send(r#"{"type":"ping"}"#);
    a.settle();
    b.drop_connection();
    a.expect("peer-disconnected");
    a.signal("ice-candidate", &id::of('b'), "net", "{}");
    a.settle();
    a.close(1000, "");
    server.wait_for_peers(0);
    server
}

#[test]
fn what_happens_is_counted() {
    let server = busy_server();
    assert_eq!(Peer::upgrade(server.address(), "/?peerId=nobody").closed().0, 1008);
    assert_eq!(http::get(server.address(), "/nothing").status, 404);
    let samples = samples(&server);
    for (name, expected) in [
        ("peerpigeon_connections_opened_total", 3.0),
        ("peerpigeon_connections_admitted_total", 2.0),
        (r#"peerpigeon_connections_closed_total{code="1008",reason="Invalid peerId"}"#, 1.0),
        (r#"peerpigeon_connections_lost_total{cause="closed"}"#, 2.0),
        (r#"peerpigeon_connections{state="active"}"#, 0.0),
        ("peerpigeon_max_connections", 1_000.0),
        ("peerpigeon_announces_total", 2.0),
        (r#"peerpigeon_introductions_total{occasion="announce"}"#, 1.0),
        (r#"peerpigeon_messages_received_total{type="offer"}"#, 1.0),
        (r#"peerpigeon_messages_received_total{type="announce"}"#, 2.0),
        (r#"peerpigeon_messages_refused_total{code="invalid-json"}"#, 1.0),
        (r#"peerpigeon_signals_received_bytes_total{type="offer"}"#, 13.0),
        (r#"peerpigeon_signals_relayed_total{type="offer"}"#, 1.0),
        ("peerpigeon_mails_kept_total", 1.0),
        ("peerpigeon_mails", 1.0),
        ("peerpigeon_mailboxes", 2.0),
        (r#"peerpigeon_frames_total{direction="in",kind="close"}"#, 2.0),
        (r#"peerpigeon_http_responses_total{code="101"}"#, 3.0),
        (r#"peerpigeon_http_responses_total{code="404"}"#, 1.0),
        ("peerpigeon_relay_latency_seconds_count", 1.0),
        (r#"peerpigeon_relay_latency_seconds_bucket{le="+Inf"}"#, 1.0),
        ("peerpigeon_draining", 0.0),
    ] {
        assert_eq!(samples.get(name), Some(&expected), "{name}");
    }
    let is_between = |name: &str, least: f64, most: f64| {
        let value = samples[name];
        assert!((least..=most).contains(&value), "{name} is {value}");
    };
    is_between(r#"peerpigeon_frames_message_bytes_total{direction="in"}"#, 300.0, 2_000.0);
    is_between(r#"peerpigeon_frames_message_bytes_total{direction="out"}"#, 300.0, 5_000.0);
    is_between("process_resident_memory_bytes", 1e5, 1e9);
    is_between("process_open_fds", 5.0, 100.0);
    is_between("process_max_fds", 100.0, 1e9);
    is_between("process_start_time_seconds", 1.7e9, 1e10);
    is_between("peerpigeon_turn_duration_seconds_count", 10.0, 1e6);
    is_between("peerpigeon_turn_duration_seconds_sum", 1e-6, 60.0);
}

#[test]
fn buckets_grow_and_end_with_all() {
    let samples = samples(&busy_server());
    for name in ["peerpigeon_turn_duration_seconds", "peerpigeon_relay_latency_seconds"] {
        let prefix = format!("{name}_bucket{{le=\"");
        let mut buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(sample, count)| {
                let bound = sample.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((bound.parse().unwrap_or(f64::INFINITY), *count))
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.len() > 10 && buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, samples[&format!("{name}_count")])));
    }
}

#[test]
fn prometheus_understands_and_likes_it() {
    let server = busy_server();
    let mut promtool = tool("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let body = http::get(server.address(), "/metrics").body;
    promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    // Its advice on names and units goes to standard error, with status 3.
    assert_eq!((output.status.code(), http::lossy(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn the_document_has_every_metric_and_no_other() {
    let server = busy_server();
    let (served, documented) = (families(&http::get(server.address(), "/metrics").body), documented());
    for (name, family) in &served {
        assert_eq!(documented.get(name), Some(family), "{name} in docs/OPERATIONS.md");
    }
    for name in documented.keys() {
        assert!(served.contains_key(name), "{name} is documented and not served");
    }
}

#[test]
fn the_alerts_are_valid_and_fire_when_they_should() {
    let folder = repository().join("deploy/prometheus");
    let said = succeed(tool("promtool").current_dir(&folder).args(["check", "config", "prometheus.yml"]));
    assert!(said.contains("12 rules found"), "{said}");
    let said = succeed(tool("promtool").current_dir(&folder).args(["test", "rules", "alerts.test.yml"]));
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn dashboard_and_alerts_ask_only_for_what_is_served() {
    let server = busy_server();
    let served = families(&http::get(server.address(), "/metrics").body);
    let dashboard = fs::read_to_string(repository().join("deploy/grafana/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut expressions: Vec<String> =
        queries.map(|query| query["expr"].as_str().unwrap().to_owned()).collect();
    assert!(expressions.len() > 20);
    expressions.push(fs::read_to_string(repository().join("deploy/prometheus/alerts.yml")).unwrap());
    for expression in expressions {
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let metrics = words.filter(|word| word.starts_with("peerpigeon_") || word.starts_with("process_"));
        for metric in metrics {
            let family = metric.strip_suffix("_bucket").unwrap_or(metric);
            assert!(served.contains_key(family), "{metric} in {expression}");
        }
    }
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[test]
fn pages_for_operators_ask_for_their_token() {
    let server = Server::with(&[("METRICS_TOKEN", "first, second")]);
    for path in ["/metrics", "/stats", "/status"] {
        let status = |path: &str, headers: &str| http::request(server.address(), "GET", path, headers).status;
        let answer = http::get(server.address(), path);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        assert_eq!(status(path, "Authorization: Bearer wrong\r\n"), 401);
        for token in ["first", "second"] {
            assert_eq!(status(path, &format!("Authorization: Bearer {token}\r\n")), 200);
            assert_eq!(status(&format!("{path}?token={token}"), ""), 200);
        }
    }
    assert_eq!(http::get(server.address(), "/health").status, 200, "a load balancer has no token");
}

#[test]
fn operators_can_have_an_address_of_their_own() {
    let server = Server::with(&[("ADMIN_LISTEN", "127.0.0.1:0"), ("AUTH_TOKEN", "for-peers")]);
    let (public, admin) = (server.address(), server.admin_address());
    for (path, by_public, by_admin) in [
        ("/", 200, 200),
        ("/health", 200, 200),
        ("/metrics", 404, 200),
        ("/stats", 404, 200),
        ("/status", 404, 200),
        ("/demo", 200, 404),
        ("/client.js", 200, 404),
        ("/client.d.ts", 200, 404),
        ("/signaling?peerId=x&token=for-peers", 400, 404),
        ("/nothing", 404, 404),
    ] {
        assert_eq!(http::get(public, path).status, by_public, "{path}");
        assert_eq!(http::get(admin, path).status, by_admin, "{path} for operators");
    }
    let upgrade = websocket::upgrade(&format!("{}&token=for-peers", id::target(&id::of('a'))));
    let bytes = http::exchange(admin, upgrade.as_bytes());
    assert!(http::lossy(&bytes).starts_with("HTTP/1.1 404 "), "no peers there");
}

#[test]
fn limits_for_the_public_do_not_hold_for_operators() {
    let settings = [
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("LIMIT_EXEMPT", "none"),
        ("HTTP_RATE", "3"),
        ("CONNECTION_RATE_PER_IP", "5"),
    ];
    let server = Server::with(&settings);
    let admin = server.admin_address();
    for _ in 0..50 {
        assert_eq!(http::get(admin, "/metrics").status, 200);
    }
    wait_until("the public is limited", || {
        http::lossy(&http::exchange(
            server.address(),
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ))
        .split(' ')
        .nth(1)
            != Some("200")
    });
}
