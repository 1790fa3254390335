//! Who may use the bus, and where it is.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use peerpigeon_tests::redis::Redis;
use peerpigeon_tests::tools::succeed;
use peerpigeon_tests::{Peer, Server, id, refused_start, wait_until};

use crate::{hear, meets, node, say, state};

/// What `--check` says of a bus that cannot be used; of one that can, nothing.
fn complaint(settings: &[(&str, &str)]) -> Option<String> {
    let (code, _, error) = refused_start(&["--check"], settings);
    (code != Some(0)).then_some(error)
}

/// Two nodes with these settings know each other, and two with those do not see them.
fn know_each_other(settings: &[(&str, &str)]) -> [Server; 2] {
    let nodes = [(); 2].map(|()| Server::with(settings));
    wait_until("they know each other", || nodes.iter().all(|node| state(node)["nodes"] == 1));
    nodes
}

#[test]
fn a_user_needs_these_rights_and_no_others_and_is_told_what_is_missing() {
    let redis = Redis::start();
    let all = ["hello", "subscribe", "publish"];
    let with = |name: &str, rights: &[&str], channels: &str| {
        let rights: Vec<String> = rights.iter().map(|right| format!("+{right}")).collect();
        let mut words =
            vec!["ACL", "SETUSER", name, "on", ">pass", "resetkeys", "resetchannels", channels, "-@all"];
        words.extend(rights.iter().map(String::as_str));
        assert_eq!(redis.say(&words), "+OK");
        format!("redis://{name}:pass@127.0.0.1:{}", redis.port())
    };
    assert_eq!(complaint(&[("CLUSTER", &with("all", &all, "&peerpigeon:*"))]), None);
    let _nodes = know_each_other(&[("CLUSTER", &with("all", &all, "&peerpigeon:*"))]);
    for missing in ["subscribe", "publish"] {
        let rights: Vec<&str> = all.into_iter().filter(|right| *right != missing).collect();
        let said = complaint(&[("CLUSTER", &with("some", &rights, "&peerpigeon:*"))]).unwrap();
        let command = missing.to_uppercase();
        assert!(said.contains(&format!("it refuses {command}: NOPERM")), "{said}");
        assert!(said.contains("resetchannels &peerpigeon:* +hello +subscribe +publish"), "{said}");
    }
    let said = complaint(&[("CLUSTER", &with("elsewhere", &all, "&other:*"))]).unwrap();
    assert!(said.contains("it refuses SUBSCRIBE: NOPERM"), "{said}");
    let said = complaint(&[("CLUSTER", &format!("redis://all:wrong@127.0.0.1:{}", redis.port()))]).unwrap();
    assert!(said.contains("WRONGPASS") && !said.contains("wrong@"), "{said}");
}

#[test]
fn a_password_is_asked_for_and_a_unix_socket_is_as_good_as_a_port() {
    let redis = Redis::with(&["--requirepass", "secret"]);
    let said = complaint(&[("CLUSTER", &redis.url())]).unwrap();
    assert!(said.contains("NOAUTH") && said.contains("the URL needs a password"), "{said}");
    let url = format!("unix://:secret@{}", redis.socket().display());
    let _nodes = know_each_other(&[("CLUSTER", &url)]);
}

#[test]
fn nodes_without_the_key_or_with_another_prefix_do_not_see_each_other() {
    let redis = Redis::start();
    let url = redis.url();
    let key = "a secret of all nodes, thirty-two bytes and more";
    let insiders = know_each_other(&[("CLUSTER", &url), ("CLUSTER_KEY", key)]);
    let elsewhere = know_each_other(&[("CLUSTER", &url), ("CLUSTER_PREFIX", "other")]);
    let outsider = node(&url, &[]);
    let mut one = Peer::announced(&insiders[0], &id::of('1'), "a");
    let _outside = Peer::announced(&outsider, &id::of('2'), "a");
    let unsealed = || {
        let metrics = peerpigeon_tests::http::get(insiders[0].address(), "/metrics").body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("peerpigeon_cluster_frames_total{event=\"unsealed\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap()
    };
    wait_until("what the outsider says is counted", || unsealed() > 0);
    redis.say(&["PUBLISH", "peerpigeon:all", "garbage"]);
    let _two = Peer::announced(&insiders[1], &id::of('3'), "a");
    meets(&mut one, "3");
    for node in insiders.iter().chain(&elsewhere) {
        assert_eq!(state(node)["nodes"], 1);
    }
    assert_eq!(state(&outsider)["nodes"], 0);
}

#[test]
fn of_several_urls_the_first_that_works_is_used_and_a_replica_does_not() {
    let redis = Redis::start();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &redis.port().to_string()]);
    let said = complaint(&[("CLUSTER", &replica.url())]).unwrap();
    assert!(said.contains("it is a replica"), "{said}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = format!("redis://{nobody},{},{}", replica.url(), redis.url());
    let _nodes = know_each_other(&[("CLUSTER", &urls)]);
}

#[test]
fn what_is_no_redis_is_told_in_a_line_and_takes_no_memory() {
    for (answer, said) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "what it sends is no RESP3"),
        (b"$536870912\r\nabc", "it sends a string of more than 131072 bytes"),
        (b"*4000000000\r\n", "it sends a reply of more than 256 parts"),
        (
            b"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`\r\n",
            "Redis 6 or Valkey is needed",
        ),
        (b"", "it has closed the connection"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://user:hunter2@{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1_000]);
            let _ = stream.write_all(answer);
        });
        let complaint = complaint(&[("CLUSTER", &url)]).unwrap();
        assert!(complaint.contains(said) && !complaint.contains("hunter2"), "{complaint}");
        server.join().unwrap();
    }
}

#[test]
fn by_tls_a_redis_is_believed_by_its_certificate_alone() {
    let mut redis = Redis::start();
    let folder = redis.folder().to_owned();
    for (name, host) in [("ours", "IP:127.0.0.1"), ("other", "DNS:cache.example")] {
        let line = format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName={host} \
             -addext basicConstraints=critical,CA:FALSE -keyout {name}.key -out {name}.pem"
        );
        succeed(Command::new("openssl").args(line.split_whitespace()).current_dir(&folder));
    }
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    redis.stop();
    redis.set(&["--tls-port", &free.to_string(), "--tls-auth-clients", "no"]);
    redis.set(&["--tls-cert-file", &path("ours.pem"), "--tls-key-file", &path("ours.key")]);
    redis.resume_after_stop();
    let url = format!("rediss://127.0.0.1:{free}");
    let [ours, other] = ["ours.pem", "other.pem"].map(path);
    let nodes = know_each_other(&[("CLUSTER", &url), ("CLUSTER_CA", &ours)]);
    let mut one = Peer::announced(&nodes[0], &id::of('1'), "a");
    let mut two = Peer::announced(&nodes[1], &id::of('2'), "a");
    meets(&mut one, "2");
    // More than one record of TLS takes.
    let long = "x".repeat(100_000);
    say(&mut one, '2', &long);
    assert_eq!(hear(&mut two), long);
    let said = complaint(&[("CLUSTER", &url), ("CLUSTER_CA", &other)]).unwrap();
    assert!(said.contains("TLS: invalid peer certificate: UnknownIssuer"), "{said}");
    let named = url.replace("127.0.0.1", "localhost");
    let said = complaint(&[("CLUSTER", &named), ("CLUSTER_CA", &ours)]).unwrap();
    assert!(said.contains("TLS: invalid peer certificate: certificate not valid for name"), "{said}");
    let said = complaint(&[("CLUSTER", &url)]).unwrap();
    assert!(said.contains("CLUSTER_CA"), "{said}");
    let said = complaint(&[("CLUSTER", &redis.url()), ("CLUSTER_CA", &ours)]).unwrap();
    assert!(said.contains("only goes with rediss:// in CLUSTER"), "{said}");
}
