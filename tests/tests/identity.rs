//! State belongs to a connection, never to an id.

use std::time::Duration;

use peerpigeon_tests::{Peer, Received, Server, id, wait_until};

/// The types of the texts among these.
fn types(received: &[Received]) -> Vec<String> {
    received
        .iter()
        .map(|received| match received {
            Received::Text(text) => {
                let value: serde_json::Value = serde_json::from_str(text).expect("the server sends JSON");
                value["type"].as_str().expect("each message has a type").to_owned()
            }
            other @ (Received::Closed(_) | Received::Lost) => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_late_close_of_a_replaced_socket_does_not_touch_its_successor() {
    let server = Server::with(&[("DUPLICATE_PEER", "replace")]);
    let mut old = Peer::announced(&server, &id::of('a'), "net");
    let mut other = Peer::announced(&server, &id::of('b'), "net");
    old.settle();
    let mut new = Peer::announced(&server, &id::of('a'), "net");
    new.settle();
    other.settle();
    // Only now does the old one notice that it was replaced, and end.
    assert_eq!(old.closed(), (4001, "Replaced by a newer connection".to_owned()));
    old.drop_connection();
    wait_until("two connections", || server.gauge("/health", "connections") == 2);
    assert_eq!(other.settle(), []);
    assert_eq!(server.gauge("/health", "peers"), 2);
    other.signal("offer", &id::of('a'), "net", "1");
    assert_eq!(new.expect("offer")["data"], 1);
}

#[test]
fn an_incumbent_that_is_alive_keeps_its_id() {
    let server = Server::start();
    let mut incumbent = Peer::announced(&server, &id::of('a'), "net");
    let mut other = Peer::announced(&server, &id::of('b'), "net");
    other.settle();
    incumbent.settle();
    for _ in 0..3 {
        let mut newcomer = Peer::upgrade(server.address(), &id::target(&id::of('A')));
        // Reads the challenge and answers it, as every browser does.
        wait_until("a ping", || {
            assert_eq!(incumbent.settle(), []);
            incumbent.pings() > 0
        });
        assert_eq!(newcomer.receive(), Received::Closed(Some((1008, "Peer already connected".to_owned()))));
    }
    assert_eq!(other.settle(), []);
    other.signal("offer", &id::of('a'), "net", "1");
    assert_eq!(incumbent.expect("offer")["data"], 1);
}

#[test]
fn a_frozen_incumbent_gives_way_and_what_the_newcomer_sent_meanwhile_counts() {
    let server = Server::start();
    let mut incumbent = Peer::announced(&server, &id::of('a'), "net");
    let mut other = Peer::announced(&server, &id::of('b'), "net");
    other.settle();
    incumbent.settle();
    incumbent.freeze();

    let mut newcomer = Peer::upgrade(server.address(), &id::target(&id::of('a')));
    newcomer.send(r#"{"type":"announce","data":{"new":true},"networkName":"net"}"#);
    for n in 0..20 {
        newcomer.signal("ice-candidate", other.id(), "net", &n.to_string());
    }
    assert_eq!(newcomer.expect("connected")["peerId"], id::of('a'));
    assert_eq!(newcomer.expect("peer-discovered")["data"]["peerId"], id::of('b'));
    assert_eq!(incumbent.closed(), (4001, "Replaced by a newer connection".to_owned()));

    assert_eq!(other.expect("peer-disconnected")["data"]["peerId"], id::of('a'));
    assert_eq!(other.expect("peer-discovered")["data"]["new"], true);
    for n in 0..20 {
        assert_eq!(other.expect("ice-candidate")["data"], n);
    }
}

#[test]
fn the_setting_decides_between_incumbent_and_newcomer() {
    const REFUSED: (u16, &str) = (1008, "Peer already connected");
    const REPLACED: (u16, &str) = (4001, "Replaced by a newer connection");
    for (setting, incumbent_is_alive, close) in [
        ("challenge", true, REFUSED),
        ("challenge", false, REPLACED),
        ("reject", true, REFUSED),
        ("reject", false, REFUSED),
        ("replace", true, REPLACED),
        ("replace", false, REPLACED),
    ] {
        let server = Server::with(&[("DUPLICATE_PEER", setting)]);
        let mut incumbent = Peer::connect(&server, &id::of('a'));
        if !incumbent_is_alive {
            incumbent.freeze();
        }
        let newcomer = Peer::upgrade(server.address(), &id::target(&id::of('A')));
        // Whoever reads answers pings. A frozen one is silent until it is all over.
        let (mut closed, mut stays) =
            if close == REFUSED { (newcomer, incumbent) } else { (incumbent, newcomer) };
        wait_until("one of them is closed", || {
            if incumbent_is_alive && !stays.is_over() {
                stays.receive_within(Duration::from_millis(20));
            }
            closed.receive_within(Duration::from_millis(20))
                == Some(Received::Closed(Some((close.0, close.1.to_owned()))))
        });
        let case = format!("{setting}, incumbent alive: {incumbent_is_alive}");
        stays.send(r#"{"type":"ping"}"#);
        let got = stays.settle();
        assert!(types(&got).ends_with(&["pong".to_owned()]), "{case}: {got:?}");
        assert_eq!(server.gauge("/health", "connections"), 1, "{case}");
    }
}

#[test]
fn many_connections_for_one_id_leave_one_of_them() {
    let server = Server::with(&[("DUPLICATE_PEER", "replace")]);
    let mut replaced: Vec<Peer> = (0..50).map(|_| Peer::connect(&server, &id::of('a'))).collect();
    let mut last = replaced.pop().expect("there are fifty");
    for mut peer in replaced {
        assert_eq!(peer.closed().0, 4001);
    }
    last.announce("net");
    server.wait_for_peers(1);
    last.send(r#"{"type":"ping","networkName":"net"}"#);
    last.expect("pong");
}

#[test]
fn an_id_is_free_again_as_soon_as_its_peer_is_gone() {
    let server = Server::start();
    for round in 0..20 {
        let mut peer = Peer::connect(&server, &id::of('a'));
        peer.announce("net");
        assert_eq!(peer.settle(), [], "round {round}");
        peer.close(1000, "");
    }
    wait_until("nobody", || server.gauge("/health", "connections") == 0);
}

#[test]
fn a_peer_that_says_goodbye_while_unloading_leaves_once() {
    let server = Server::start();
    let mut other = Peer::announced(&server, &id::of('b'), "net");
    let mut leaving = Peer::announced(&server, &id::of('a'), "net");
    leaving.expect("peer-discovered");
    other.expect("peer-discovered");
    for _ in 0..3 {
        leaving.send(r#"{"type":"goodbye","data":{"reason":"peer_disconnect"}}"#);
    }
    leaving.send(r#"{"type":"cleanup-all","data":{"reason":"browser_unload"},"networkName":"net"}"#);
    leaving.close(1001, "");
    server.wait_for_peers(1);
    let mut told = types(&other.settle());
    told.sort();
    assert_eq!(told, ["goodbye", "peer-disconnected"]);
}

#[test]
fn everybody_who_knew_a_peer_is_told_once_that_it_is_gone_however_it_goes() {
    let server = Server::start();
    let mut stays = Peer::announced(&server, &id::of('b'), "net");
    type Leave = fn(Peer);
    let ways: [(&str, Leave); 5] = [
        ("a close frame", |peer| drop(peer.close(1000, ""))),
        ("the end of the stream", Peer::drop_connection),
        ("a goodbye, then the end of the stream", |mut peer| {
            peer.send(r#"{"type":"goodbye"}"#);
            peer.settle();
        }),
        ("a protocol error", |mut peer| {
            peer.send_bytes(&[0xff; 20]);
            peer.closed();
        }),
        ("a frame cut in the middle", |mut peer| peer.send_bytes(&[0x81, 0xfe, 0x01])),
    ];
    for (how, leave) in ways {
        let leaving = Peer::announced(&server, &id::of('a'), "net");
        assert_eq!(stays.expect("peer-discovered")["data"]["peerId"], id::of('a'));
        leave(leaving);
        server.wait_for_peers(1);
        let told = types(&stays.settle());
        let disconnected = told.iter().filter(|kind| *kind == "peer-disconnected").count();
        assert_eq!(disconnected, 1, "{how}: {told:?}");
        // Goodbye cuts a live link: it is for those who said it.
        assert_eq!(told.contains(&"goodbye".to_owned()), how.contains("goodbye"), "{how}: {told:?}");
    }
}
