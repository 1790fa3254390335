//! 1,000,000 signals between random pairs of 1,000 peers: none lost, none misrouted, none out of order.

use std::time::{Duration, Instant};

use peerpigeon_tests::id::Random;
use peerpigeon_tests::{Crowd, News, Server};
use serde::Deserialize;

const PEERS: usize = 1_000;
const SIGNALS: u64 = 1_000_000;
/// Signals of one sender that are on their way at once.
const WINDOW: u64 = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relayed<'a> {
    r#type: &'a str,
    data: Data,
    from_peer_id: &'a str,
    target_peer_id: &'a str,
    network_name: &'a str,
}

/// What a signal says of itself: by whom, for whom, and which of that pair's.
#[derive(Deserialize)]
struct Data {
    from: usize,
    to: usize,
    n: u32,
}

/// How many signals of each ordered pair there were.
struct Pairs(Vec<u32>);

impl Pairs {
    fn new() -> Pairs {
        Pairs(vec![0; PEERS * PEERS])
    }

    fn of(&mut self, from: usize, to: usize) -> &mut u32 {
        &mut self.0[from * PEERS + to]
    }
}

struct Senders {
    random: Random,
    sent: Pairs,
    total: u64,
}

impl Senders {
    fn send_one(&mut self, crowd: &mut Crowd, from: usize) {
        if self.total == SIGNALS {
            return;
        }
        let to = (from + 1 + self.random.below(PEERS - 1)) % PEERS;
        let n = self.sent.of(from, to);
        let target = crowd.id(to).to_owned();
        crowd.send(
            from,
            &format!(
                r#"{{"type":"ice-candidate","data":{{"from":{from},"to":{to},"n":{n},"candidate":"candidate:1 1 udp 2122260223 192.0.2.7 51000 typ host"}},"networkName":"million","targetPeerId":"{target}"}}"#
            ),
        );
        *n += 1;
        self.total += 1;
    }
}

/// How a message begins that tells of a peer.
const INTRODUCTION: &str = r#"{"type":"peer-discovered""#;

#[test]
fn none_is_lost_misrouted_or_out_of_order() {
    let server = Server::with(&[("MESSAGE_RATE", "0"), ("BYTE_RATE", "0"), ("MAX_CONNECTIONS", "2000")]);
    let mut crowd = Crowd::new();
    crowd.connect(&server, PEERS);
    for member in 0..PEERS {
        crowd.announce(member, "million");
    }
    for _ in 0..2 {
        crowd.settle_all(|member, news| {
            assert!(
                matches!(&news, News::Text(text) if text.starts_with(INTRODUCTION)),
                "{member} got {news:?}"
            );
        });
    }
    server.wait_for_peers(PEERS as u64);

    let mut senders = Senders { random: Random(1), sent: Pairs::new(), total: 0 };
    let mut received = Pairs::new();
    let mut received_total = 0;
    let start = Instant::now();
    for _ in 0..WINDOW {
        (0..PEERS).for_each(|from| senders.send_one(&mut crowd, from));
    }
    let mut arrived = Vec::new();
    let mut last_progress = Instant::now();
    while received_total < SIGNALS {
        crowd.turn(Duration::from_millis(100), |member, news| {
            let News::Text(text) = news else { panic!("{member} got {news:?}") };
            // Nobody here answers, so everybody lacks links, and is told of others now and then.
            if !text.starts_with(INTRODUCTION) {
                arrived.push((member, text));
            }
        });
        if !arrived.is_empty() {
            last_progress = Instant::now();
        }
        assert!(
            last_progress.elapsed() < peerpigeon_tests::PATIENCE,
            "{} are lost",
            senders.total - received_total
        );
        for (member, text) in arrived.drain(..) {
            let got: Relayed<'_> =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let Data { from, to, n } = got.data;
            assert_eq!((got.r#type, got.network_name), ("ice-candidate", "million"), "{text}");
            assert_eq!(to, member, "misrouted: {text}");
            assert_eq!((got.from_peer_id, got.target_peer_id), (crowd.id(from), crowd.id(to)), "{text}");
            let next = received.of(from, to);
            assert_eq!(n, *next, "out of order, lost, or twice: {text}");
            *next += 1;
            received_total += 1;
            senders.send_one(&mut crowd, from);
        }
    }
    let took = start.elapsed();
    crowd.settle_all(|member, news| {
        assert!(
            matches!(&news, News::Text(text) if text.starts_with(INTRODUCTION)),
            "{member} got {news:?} as well"
        );
    });
    assert!(senders.sent.0 == received.0);
    println!("{SIGNALS} signals in {took:.1?}: {:.0} a second", SIGNALS as f64 / took.as_secs_f64());
}
