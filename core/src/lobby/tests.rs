//! The lobby at its own edge: who waits, for what, how long, and who gives up a place.

use alloc::format;
use alloc::vec::Vec;

use super::*;
use crate::timers::Fired;
use crate::{Time, TimerKind};

const NOW: Time = Time(1_000);

fn arrival(conn: u64) -> Arrival {
    let spelling = Spelling::parse(&format!("{conn:040x}")).unwrap();
    Arrival { conn: ConnId(conn), dialect: Dialect::A, spelling, address: None }
}

/// A lobby with its deadlines.
struct Scene {
    lobby: Lobby,
    timers: Timers,
    limits: Limits,
}

impl Scene {
    fn new(limits: Limits) -> Scene {
        Scene { lobby: Lobby::default(), timers: Timers::default(), limits }
    }

    fn hold(&mut self, arrival: Arrival, why: CloseReason) -> Result<Option<TurnedAway>, TurnedAway> {
        let held = self.lobby.hold(arrival, why, 2_000, NOW, &self.limits, &mut self.timers);
        self.check();
        held
    }

    fn open(&mut self, conn: u64, address: Option<u64>) -> Result<Option<TurnedAway>, TurnedAway> {
        let address = address.map(AddressKey);
        let opened =
            self.lobby.await_registration(ConnId(conn), address, NOW, &self.limits, &mut self.timers);
        self.check();
        opened
    }

    /// The next deadline fires at that time, or later than it is due.
    fn fire(&mut self, now: Time) -> Fired {
        self.timers.pop_due(now).expect("a deadline that is due")
    }

    fn check(&self) {
        assert_eq!(self.lobby.check(&self.limits, &self.timers), self.timers.len());
    }
}

fn turned_away(conn: u64, why: CloseReason) -> TurnedAway {
    arrival(conn).turned_away(why)
}

#[test]
fn a_connection_waits_for_one_thing_and_for_nothing_once_it_is_removed() {
    let mut scene = Scene::new(Limits::default());
    scene.open(1, None).unwrap();
    scene.hold(arrival(2), CloseReason::MaximumConnections).unwrap();
    let id = *arrival(2).spelling.id();
    for (conn, waiting) in [(1, Some(Waiting::Unregistered)), (2, Some(Waiting::Held(id))), (3, None)] {
        assert_eq!(scene.lobby.waiting(ConnId(conn)), waiting);
        assert_eq!(scene.lobby.remove(ConnId(conn), &mut scene.timers), waiting);
        assert_eq!(scene.lobby.waiting(ConnId(conn)), None);
        scene.check();
    }
    assert_eq!(scene.timers.len(), 0);
}

#[test]
fn whoever_registers_becomes_a_newcomer_with_its_address() {
    let mut scene = Scene::new(Limits::default());
    scene.open(1, Some(7)).unwrap();
    let spelling = arrival(1).spelling;
    let expected = Arrival { dialect: Dialect::B, address: Some(AddressKey(7)), ..arrival(1) };
    assert_eq!(scene.lobby.register(ConnId(1), spelling, &mut scene.timers), Some(expected));
    assert_eq!(scene.lobby.register(ConnId(1), spelling, &mut scene.timers), None);
    assert_eq!(scene.timers.len(), 0);
}

#[test]
fn where_all_places_are_taken_the_oldest_of_whoever_has_most_is_turned_away() {
    let why = CloseReason::MaximumConnections;
    let mut scene = Scene::new(Limits { unregistered_connections: 3, ..Limits::default() });
    for (conn, address) in [(1, 1), (2, 2), (3, 2)] {
        assert_eq!(scene.open(conn, Some(address)), Ok(None));
    }
    assert_eq!(scene.open(4, Some(3)), Ok(Some(TurnedAway { conn: ConnId(2), peer: None, why })));
    let mut scene = Scene::new(Limits { held_connections: 3, ..Limits::default() });
    for (conn, address) in [(1, 1), (2, 2), (3, 2)] {
        let arrival = Arrival { address: Some(AddressKey(address)), ..arrival(conn) };
        assert_eq!(scene.hold(arrival, why), Ok(None));
    }
    assert_eq!(scene.hold(arrival(4), why), Ok(Some(turned_away(2, why))));
}

#[test]
fn where_there_are_no_places_nobody_waits() {
    let limits = Limits { unregistered_connections: 0, held_connections: 0, ..Limits::default() };
    let (mut scene, why) = (Scene::new(limits), CloseReason::MaximumConnections);
    assert_eq!(scene.open(1, None), Err(TurnedAway { conn: ConnId(1), peer: None, why }));
    assert_eq!(scene.hold(arrival(2), why), Err(turned_away(2, why)));
    let Scene { mut lobby, limits, mut timers } = Scene::new(Limits::default());
    assert!(lobby.hold(arrival(2), why, 0, NOW, &limits, &mut timers).is_err(), "for no time");
}

#[test]
fn whoever_does_not_register_in_time_is_turned_away_and_once_a_second_after_a_late_driver_came() {
    let mut scene = Scene::new(Limits { register_ms: 10_000, ..Limits::default() });
    scene.open(1, None).unwrap();
    let fired = scene.fire(Time(12_001));
    assert_eq!(scene.lobby.registration_ends(fired, Time(12_001), &mut scene.timers), None);
    assert_eq!(scene.timers.next(), Some((Time(13_001), TimerKind::Register)));
    let fired = scene.fire(Time(60_000));
    let gone = TurnedAway { conn: ConnId(1), peer: None, why: CloseReason::InactiveTimeout };
    assert_eq!(scene.lobby.registration_ends(fired, Time(60_000), &mut scene.timers), Some(gone));
    scene.check();
}

#[test]
fn whoever_waits_for_a_place_waits_in_vain_and_whoever_challenges_may_win() {
    for (why, late, end) in [
        (CloseReason::MaximumConnections, true, HoldEnd::InVain(CloseReason::MaximumConnections)),
        (CloseReason::PeerAlreadyConnected, false, HoldEnd::Unanswered(*arrival(1).spelling.id())),
        (CloseReason::PeerAlreadyConnected, true, HoldEnd::Extended),
    ] {
        let mut scene = Scene::new(Limits::default());
        scene.hold(arrival(1), why).unwrap();
        let now = Time(if late { 4_001 } else { 4_000 });
        let fired = scene.fire(now);
        assert_eq!(scene.lobby.hold_ends(fired, now, &mut scene.timers), Some(end), "{why:?}");
        if end == HoldEnd::Extended {
            let fired = scene.fire(Time(60_000));
            let end = scene.lobby.hold_ends(fired, Time(60_000), &mut scene.timers);
            assert_eq!(end, Some(HoldEnd::Unanswered(*arrival(1).spelling.id())), "only once");
        }
        // Its deadline has fired: nothing is disarmed any more.
        assert!(scene.lobby.release(ConnId(1), &mut scene.timers).is_some());
        scene.check();
    }
}

#[test]
fn a_challenger_is_known_by_the_id_that_it_waits_for() {
    let (mut scene, id) = (Scene::new(Limits::default()), *arrival(1).spelling.id());
    scene.hold(arrival(2), CloseReason::MaximumConnections).unwrap();
    assert!(!scene.lobby.has_challengers());
    scene.hold(arrival(1), CloseReason::PeerAlreadyConnected).unwrap();
    assert_eq!((scene.lobby.challenger(&id), scene.lobby.has_challengers()), (Some(ConnId(1)), true));
    scene.lobby.remove(ConnId(1), &mut scene.timers);
    assert_eq!((scene.lobby.challenger(&id), scene.lobby.has_challengers()), (None, false));
}

#[test]
fn what_is_kept_of_a_held_connection_has_a_limit_in_messages_and_in_bytes() {
    let limits = Limits { held_messages: 2, held_bytes: 5, ..Limits::default() };
    for (texts, fit) in
        [(["ab", "cde"].as_slice(), true), (&["abc", "def"], false), (&["a", "b", "c"], false)]
    {
        let mut scene = Scene::new(limits.clone());
        scene.hold(arrival(1), CloseReason::MaximumConnections).unwrap();
        let Scene { lobby, limits, timers } = &mut scene;
        let over = texts.iter().find_map(|text| lobby.keep(ConnId(1), text, limits, timers));
        let expected = (!fit).then_some(turned_away(1, CloseReason::RateLimitExceeded));
        assert_eq!(over, expected, "{texts:?}");
        let kept = lobby.release(ConnId(1), timers).map(|released| released.kept);
        let is_all = kept.map(|kept| kept.iter().map(|text| &**text).eq(texts.iter().copied()));
        assert_eq!(is_all, fit.then_some(true));
    }
}

#[test]
fn a_held_connection_may_send_as_many_control_frames_as_messages() {
    let mut scene = Scene::new(Limits { held_messages: 2, ..Limits::default() });
    scene.hold(arrival(1), CloseReason::MaximumConnections).unwrap();
    let Scene { lobby, limits, timers } = &mut scene;
    let heard: Vec<_> = (0..3).map(|_| lobby.hear(ConnId(1), limits, timers)).collect();
    assert_eq!(heard, [None, None, Some(turned_away(1, CloseReason::RateLimitExceeded))]);
}

#[test]
fn the_first_who_can_have_a_place_is_next_and_no_challenger() {
    let mut scene = Scene::new(Limits::default());
    scene.hold(arrival(1), CloseReason::PeerAlreadyConnected).unwrap();
    for conn in 2..=3 {
        scene.hold(arrival(conn), CloseReason::MaximumConnections).unwrap();
    }
    assert_eq!(scene.lobby.next_for_a_place(|_| true), Some(ConnId(2)));
    assert_eq!(scene.lobby.next_for_a_place(|arrival| arrival.conn != ConnId(2)), Some(ConnId(3)));
    assert_eq!(scene.lobby.next_for_a_place(|_| false), None);
}

#[test]
fn everybody_is_turned_away_those_first_who_told_who_they_are() {
    let mut scene = Scene::new(Limits::default());
    scene.open(1, None).unwrap();
    scene.hold(arrival(2), CloseReason::MaximumConnections).unwrap();
    let why = CloseReason::ShuttingDown;
    let mut next = || scene.lobby.turn_away_next(why, &mut scene.timers);
    let gone = [next(), next(), next()];
    assert_eq!(
        gone,
        [Some(turned_away(2, why)), Some(TurnedAway { conn: ConnId(1), peer: None, why }), None]
    );
    assert_eq!(scene.timers.len(), 0);
}
