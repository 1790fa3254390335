//! Mail that outlives the process.

use peerpigeon_tests::postgres::Postgres;
use peerpigeon_tests::{Peer, Server, Signal, http, id, wait_until};

/// How many letters wait in the database.
fn waiting(database: &Postgres) -> String {
    database.sql("mail", "SELECT count(*) FROM signaling_messages WHERE taken_at IS NULL")
}

/// A server in whose network Alice has offers for Bob, who has just dropped out.
fn left(database: &Postgres, offers: usize) -> (Server, Peer) {
    left_at(database, offers, &[])
}

/// The same with further settings.
fn left_at(database: &Postgres, offers: usize, settings: &[(&str, &str)]) -> (Server, Peer) {
    let url = database.url();
    let store = [("MAIL_STORE", url.as_str())];
    let server = Server::with(&[&store, settings].concat());
    let _ = server.wait_for_log("mail store up");
    let mut alice = Peer::announced(&server, &id::of('a'), "net");
    let mut bob = Peer::announced(&server, &id::of('b'), "net");
    for peer in [&mut alice, &mut bob] {
        peer.expect("peer-discovered");
    }
    bob.drop_connection();
    alice.expect("peer-disconnected");
    for n in 0..offers {
        alice.signal("ice-candidate", &id::of('b'), "net", &format!("{{\"n\": {n}}}"));
    }
    alice.settle();
    wait_until("all of them in the database", || waiting(database) == offers.to_string());
    (server, alice)
}

#[test]
fn a_server_that_is_killed_leaves_its_mail_to_the_next() {
    let database = Postgres::start();
    let (mut server, alice) = left(&database, 5);
    server.signal(Signal::SIGKILL);
    let _ = server.wait();
    drop(alice);
    let server = Server::with(&[("MAIL_STORE", &database.url())]);
    let _ = server.wait_for_log("mail store up");
    let mut bob = Peer::announced(&server, &id::of('b'), "net");
    for n in 0..5 {
        assert_eq!(bob.expect("ice-candidate")["data"]["n"], n);
    }
    assert_eq!(waiting(&database), "0");
    server.stop();
}

#[test]
fn a_server_that_is_stopped_takes_its_leave_after_the_last_answer() {
    let database = Postgres::start();
    let (server, mut alice) = left(&database, 1);
    alice.signal("ice-candidate", &id::of('b'), "net", "{\"n\": 1}");
    server.stop();
    let server = Server::with(&[("MAIL_STORE", &database.url())]);
    let _ = server.wait_for_log("mail store up");
    let mut bob = Peer::announced(&server, &id::of('b'), "net");
    assert_eq!(bob.expect("ice-candidate")["data"]["n"], 0);
    server.stop();
}

/// Bob is back, and gets what waited for him, in its order, and nothing else.
fn gets(server: &Server, mails: u32) -> Peer {
    let mut bob = Peer::announced(server, &id::of('b'), "net");
    for n in 0..mails {
        let mut message = bob.json();
        while message["type"] == "peer-discovered" {
            message = bob.json();
        }
        assert_eq!((&message["type"], &message["data"]["n"]), (&"ice-candidate".into(), &n.into()));
    }
    bob
}

#[test]
fn who_comes_to_another_server_of_the_same_database_gets_it_there_and_nowhere_else() {
    let database = Postgres::start();
    let (server, mut alice) = left(&database, 3);
    let other = Server::with(&[("MAIL_STORE", &database.url())]);
    let _ = other.wait_for_log("mail store up");
    let _bob = gets(&other, 3);
    let mut again = Peer::announced(&server, &id::of('b'), "net");
    alice.expect("peer-discovered");
    alice.signal("offer", &id::of('b'), "net", "{}");
    again.expect("peer-discovered");
    // Nothing of what was taken elsewhere comes first.
    again.expect("offer");
    server.stop();
    other.stop();
}

#[test]
fn what_a_full_database_does_not_take_waits_and_goes_there_when_it_has_room() {
    let database = Postgres::start();
    let (server, mut alice) = left_at(&database, 2, &[("CLEANUP_INTERVAL", "100")]);
    database.sql(
        "mail",
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''disk_full''; END'; \
         CREATE TRIGGER full_disk BEFORE INSERT ON signaling_messages FOR EACH ROW EXECUTE FUNCTION full_disk()",
    );
    for n in 2..5 {
        alice.signal("ice-candidate", &id::of('b'), "net", &format!("{{\"n\": {n}}}"));
    }
    alice.settle();
    let _ = server.wait_for_log("could not extend file");
    assert_eq!(waiting(&database), "2");
    database.sql("mail", "DROP TRIGGER full_disk ON signaling_messages");
    wait_until("all of them in the database", || waiting(&database) == "5");
    gets(&server, 5);
    server.stop();
}

#[test]
fn a_database_that_is_restarted_among_puts_loses_none_and_repeats_none() {
    let mut database = Postgres::start();
    let (server, mut alice) = left_at(&database, 1, &[("CLEANUP_INTERVAL", "100")]);
    for n in 1..60 {
        alice.signal("ice-candidate", &id::of('b'), "net", &format!("{{\"n\": {n}}}"));
        if n == 20 {
            database.stop();
        }
        if n == 40 {
            database.resume_after_stop();
        }
    }
    alice.settle();
    wait_until("all of them in the database", || waiting(&database) == "60");
    gets(&server, 60);
    server.stop();
}

#[test]
fn pages_tell_how_the_store_is() {
    let mut database = Postgres::start();
    let (server, _alice) = left(&database, 3);
    let store = |page: &str| http::get(server.address(), page).json()["mailStore"].clone();
    assert_eq!(store("/health")["status"], "up");
    assert_eq!(store("/stats")["lettersTotal"]["put"], 3);
    let metrics = http::get(server.address(), "/metrics").body;
    for line in [
        "peerpigeon_mail_store_up 1\n",
        "peerpigeon_mail_store_pending 0\n",
        "peerpigeon_mail_store_connections_total 1\n",
        "peerpigeon_mail_store_questions_total{question=\"put\",outcome=\"done\"} 3\n",
        "peerpigeon_mail_store_letters_total{event=\"put\"} 3\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    let since = store("/health")["since"].clone();
    database.stop();
    wait_until("that it is down", || store("/health")["status"] == "down");
    assert_eq!(server.health().status, 200, "the server serves");
    assert_ne!(store("/health")["since"], since);
    assert!(store("/health")["cause"].is_null(), "not for everybody");
    assert!(!store("/stats")["cause"].as_str().expect("a cause").is_empty());
    assert!(http::get(server.address(), "/metrics").body.contains("peerpigeon_mail_store_up 0\n"));
    server.stop();
    let server = Server::start();
    assert_eq!(http::get(server.address(), "/health").json()["mailStore"]["status"], "none");
    server.stop();
}
