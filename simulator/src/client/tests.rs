//! How the client behaves.

use super::*;

fn peer(digit: char) -> Spelling {
    Spelling::parse(&digit.to_string().repeat(40)).unwrap()
}

fn client(servers: usize) -> Client {
    let settings = Settings {
        backoff: Backoff { spread_percent: 0, ..Backoff::default() },
        ..Settings::new((0..servers).map(|server| format!("ws://s{server}")))
    };
    Client::new(peer('a'), settings, 1)
}

fn outputs(client: &mut Client) -> Vec<Output> {
    std::iter::from_fn(|| client.poll_output()).collect()
}

fn connected(target: &Spelling, network: &str) -> String {
    format!(
        r#"{{"type":"connected","networkName":"{network}","fromPeerId":"system","targetPeerId":"{target}","timestamp":1,"data":{{"peerId":"{target}"}}}}"#
    )
}

/// Dials, opens and hears `connected`; returns the attempt.
fn open(client: &mut Client, now: Time) -> u64 {
    let attempt = client.attempt;
    client.handle(now, Input::Opened { attempt });
    let text = connected(&peer('a'), "global");
    client.handle(now, Input::Text { attempt, text: &text });
    attempt
}

#[test]
fn it_announces_as_soon_as_the_socket_is_open_and_after_every_new_connection() {
    let mut client = client(1);
    client.handle(Time(0), Input::Announce { network: "room", max_peers: Some(3), data: "{\"a\":1}" });
    client.handle(Time(0), Input::Start);
    let url = "ws://s0?peerId=".to_owned() + &"a".repeat(40);
    assert_eq!(outputs(&mut client), [Output::Dial { attempt: 1, url }]);
    client.handle(Time(1), Input::Opened { attempt: 1 });
    let text = r#"{"type":"announce","data":{"a":1},"networkName":"room","maxPeers":3}"#.to_owned();
    assert_eq!(outputs(&mut client), [Output::Send { attempt: 1, text: text.clone() }]);
    client.handle(Time(2), Input::Closed { attempt: 1, code: 1001 });
    client.handle(Time(1_002), Input::Tick);
    client.handle(Time(1_003), Input::Opened { attempt: 2 });
    assert!(outputs(&mut client).contains(&Output::Send { attempt: 2, text }));
}

#[test]
fn it_stays_away_after_a_close_with_1000_and_comes_back_after_any_other() {
    for (code, gives_up) in [(1000, true), (1001, false), (1006, false), (1008, false), (4001, false)] {
        let mut client = client(1);
        client.handle(Time(0), Input::Start);
        let attempt = open(&mut client, Time(0));
        client.handle(Time(10), Input::Closed { attempt, code });
        assert_eq!(client.is_idle(), gives_up, "{code}");
        assert_eq!(client.poll_timeout(), (!gives_up).then_some(Time(1_010)), "{code}");
    }
}

#[test]
fn its_waits_double_until_a_connection_has_lasted() {
    let mut client = client(1);
    client.settings.breaker_failures = u32::MAX;
    client.handle(Time(0), Input::Start);
    let mut now = Time(0);
    for expected in [1_000, 2_000, 4_000, 8_000] {
        client.handle(now, Input::Failed { attempt: client.attempt });
        let next = client.poll_timeout().unwrap();
        assert_eq!(next.since(now), expected);
        client.handle(next, Input::Tick);
        now = next;
    }
    let attempt = open(&mut client, now);
    client.handle(now + 4_999, Input::Closed { attempt, code: 1001 });
    assert_eq!(client.poll_timeout(), Some(now + 4_999 + 16_000));
    let again = now + 4_999 + 16_000;
    client.handle(again, Input::Tick);
    let attempt = open(&mut client, again);
    client.handle(again + 5_000, Input::Closed { attempt, code: 1001 });
    assert_eq!(client.poll_timeout(), Some(again + 5_000 + 1_000));
}

#[test]
fn it_fails_over_when_a_breaker_opens_and_returns_to_the_first_server_later() {
    let mut client = client(2);
    client.handle(Time(0), Input::Start);
    let mut now = Time(0);
    for server in ["ws://s0", "ws://s0", "ws://s1"] {
        client.handle(now, Input::Failed { attempt: client.attempt });
        now = client.poll_timeout().unwrap();
        client.handle(now, Input::Tick);
        let dialed = outputs(&mut client);
        assert!(
            matches!(dialed.last(), Some(Output::Dial { url, .. }) if url.starts_with(server)),
            "{dialed:?}"
        );
    }
    assert_eq!(now, Time(1_000 + 2_000 + 1_000), "the first wait for a new server is short");
    open(&mut client, now);
    client.settings.silence_ms = 0;
    assert_eq!(client.poll_timeout(), Some(now + 300_000));
    outputs(&mut client);
    client.handle(now + 300_000, Input::Tick);
    let returned = outputs(&mut client);
    assert_eq!(returned[0], Output::HangUp { attempt: 4 });
    assert!(matches!(&returned[1], Output::Dial { url, .. } if url.starts_with("ws://s0")));
}

#[test]
fn a_server_that_fails_three_times_is_left_alone_and_then_tried_once() {
    let mut client = client(1);
    client.handle(Time(0), Input::Start);
    let mut now = Time(0);
    for _ in 0..3 {
        client.handle(now, Input::Failed { attempt: client.attempt });
        now = client.poll_timeout().unwrap();
        client.handle(now, Input::Tick);
    }
    let Some(Circuit::Open { until }) = client.breaker(0).map(Breaker::circuit) else {
        panic!("closed: {client:?}")
    };
    assert_eq!(client.poll_timeout(), Some(until), "waits for the breaker");
    client.handle(until, Input::Tick);
    assert_eq!(client.breaker(0).map(Breaker::circuit), Some(Circuit::HalfOpen));
    open(&mut client, until);
    assert_eq!(client.breaker(0).map(Breaker::circuit), Some(Circuit::Closed));
}

#[test]
fn a_silent_server_counts_as_lost_and_a_dial_has_a_deadline() {
    let mut client = client(1);
    client.handle(Time(0), Input::Start);
    assert_eq!(client.poll_timeout(), Some(Time(10_000)));
    client.handle(Time(10_000), Input::Tick);
    assert!(outputs(&mut client).contains(&Output::HangUp { attempt: 1 }));
    client.handle(Time(11_000), Input::Tick);
    let attempt = open(&mut client, Time(11_000));
    client.handle(Time(50_000), Input::Heard { attempt });
    assert_eq!(client.poll_timeout(), Some(Time(110_000)));
    client.handle(Time(110_000), Input::Tick);
    assert!(outputs(&mut client).contains(&Output::HangUp { attempt }));
}

#[test]
fn what_an_earlier_socket_says_is_ignored() {
    let mut client = client(1);
    client.handle(Time(0), Input::Start);
    let old = open(&mut client, Time(0));
    client.handle(Time(1), Input::Closed { attempt: old, code: 1006 });
    client.handle(Time(1_001), Input::Tick);
    open(&mut client, Time(1_001));
    outputs(&mut client);
    client.handle(Time(1_002), Input::Closed { attempt: old, code: 1000 });
    client.handle(Time(1_002), Input::Text { attempt: old, text: "{}" });
    assert!(client.is_open());
    assert_eq!(outputs(&mut client), []);
}

#[test]
fn frames_for_another_network_or_spelling_are_dropped_as_the_javascript_client_does() {
    let mut client = client(1);
    client.handle(Time(0), Input::Announce { network: "room", max_peers: None, data: "{}" });
    client.handle(Time(0), Input::Start);
    let attempt = open(&mut client, Time(0));
    outputs(&mut client);
    let frame = |network: &str, target: &str| {
        format!(
            r#"{{"type":"offer","networkName":"{network}","fromPeerId":"{}","targetPeerId":"{target}","timestamp":1,"data":[1]}}"#,
            peer('b')
        )
    };
    let mine = frame("room", &"a".repeat(40));
    client.handle(Time(1), Input::Text { attempt, text: &mine });
    let event = Event::Signal { from: peer('b'), signal: Signal::Offer, data: "[1]".to_owned() };
    assert_eq!(outputs(&mut client), [Output::Tell(event)]);
    for text in [frame("global", &"a".repeat(40)), frame("room", &"A".repeat(40)), "{".to_owned()] {
        client.handle(Time(1), Input::Text { attempt, text: &text });
        assert_eq!(outputs(&mut client), [Output::Tell(Event::Dropped { text })]);
    }
}

#[test]
fn a_signal_without_a_connection_is_told_as_unsent() {
    let mut client = client(1);
    let to = peer('b');
    client.handle(Time(0), Input::Signal { to: &to, signal: Signal::Answer, data: "1" });
    assert_eq!(outputs(&mut client), [Output::Tell(Event::Unsent { to, signal: Signal::Answer })]);
}

#[test]
fn stopping_says_goodbye_before_it_hangs_up_and_nothing_follows() {
    let mut client = client(1);
    client.handle(Time(0), Input::Start);
    let attempt = open(&mut client, Time(0));
    outputs(&mut client);
    client.handle(Time(1), Input::Stop);
    let text = r#"{"type":"goodbye"}"#.to_owned();
    assert_eq!(outputs(&mut client), [Output::Send { attempt, text }, Output::HangUp { attempt }]);
    assert!(client.is_idle() && client.poll_timeout().is_none());
}
