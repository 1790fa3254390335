use alloc::string::{String, ToString};
use alloc::vec;

use super::absent::MailRefused;
use super::lists::ListEntry;
use super::*;
use crate::AddressKey;

const NOW: Time = Time(1_000_000);
const WALL: u64 = 1_700_000_000_000;

struct Hall {
    rooms: Rooms,
    limits: Limits,
    last_conn: u64,
    now: Time,
}

impl Hall {
    fn new() -> Hall {
        Hall { rooms: Rooms::default(), limits: Limits::default(), last_conn: 0, now: NOW }
    }

    fn join(&mut self, room: &str, id: &str) -> MemberKey {
        self.last_conn += 1;
        let scope = Scope { network: "n".into(), session: room.into() };
        let announcement =
            Joining { scope, id: id.into(), lease_ms: 30_000, clock_ahead: 0, message_id: "".into() };
        let conn = ConnId(self.last_conn);
        self.rooms.join(conn, Holder::Connection(conn), announcement, &self.limits, self.now)
    }

    fn many(&mut self, count: u32) -> Vec<MemberKey> {
        (0..count).map(|number| self.join("r", &name(number))).collect()
    }

    fn leave(&mut self, key: MemberKey) {
        self.rooms.leave(key, false, &self.limits, self.now);
    }

    fn lose(&mut self, key: MemberKey) {
        self.rooms.leave(key, true, &self.limits, self.now);
    }

    fn list(&self, key: MemberKey) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.rooms.list(key, self.now, WALL).map(|entry| self.rooms.member(entry.member).id()).collect();
        ids.sort_unstable();
        ids
    }

    /// Lets so much time pass and does what is due; returns who was sent a list, and when.
    fn pass(&mut self, millis: u64) -> Vec<(u64, MemberKey)> {
        let (start, end) = (self.now, self.now + millis);
        let mut pushed = Vec::new();
        while let Some(due) = self.rooms.next_due().filter(|due| *due <= end) {
            self.now = due;
            match self.rooms.pop_due(due) {
                Some((_, Task::Push(key))) => {
                    self.rooms.list_sent(key, due);
                    pushed.push((due.since(start), key));
                }
                Some((_, Task::Expire(key))) => drop(self.rooms.expire(key, due)),
                Some((_, Task::Claim(_) | Task::Probe(_))) | None => {}
            }
        }
        self.now = end;
        self.rooms.check_rooms();
        pushed
    }

    fn keep(
        &mut self,
        to: AbsentKey,
        from: &str,
        kind: Option<u8>,
        text: &str,
    ) -> Result<usize, MailRefused> {
        let writer = Holder::Address(AddressKey(from.len() as u64));
        let expires = self.now + 10_000;
        let kept = Kept { from: from.into(), kind, writer, expires, text: text.into(), number: 0 };
        self.rooms.keep(to, kept, &self.limits)
    }

    fn absent(&self, id: &str) -> Option<AbsentKey> {
        let room = self.rooms.find(&Scope { network: "n".into(), session: "r".into() })?;
        self.rooms.absent(room, id)
    }
}

fn name(number: u32) -> String {
    alloc::format!("peer-{number:06}")
}

fn texts(mails: impl IntoIterator<Item = Kept>) -> Vec<String> {
    mails.into_iter().map(|kept| kept.text.to_string()).collect()
}

#[test]
fn of_two_the_one_with_the_smaller_id_is_told_at_once_and_the_other_after_two_seconds() {
    let mut hall = Hall::new();
    let (b, a) = (hall.join("r", "b"), hall.join("r", "a"));
    assert_eq!((hall.list(a), hall.list(b)), (vec!["b"], vec![]));
    assert_eq!(hall.pass(1_999), [(20, a)]);
    assert_eq!((hall.list(a), hall.list(b)), (vec!["b"], vec![]));
    assert_eq!(hall.pass(1), [(1, b)]);
    assert_eq!((hall.list(a), hall.list(b)), (vec!["b"], vec!["a"]));
    assert_eq!(hall.pass(60_000), [], "and nothing more");
}

#[test]
fn a_signal_between_the_two_ends_the_wait() {
    for from_smaller in [true, false] {
        let mut hall = Hall::new();
        let (a, b) = (hall.join("r", "a"), hall.join("r", "b"));
        hall.rooms.list_sent(b, hall.now);
        hall.pass(100);
        let (from, to) = if from_smaller { (a, b) } else { (b, a) };
        hall.rooms.signalled(from, to, hall.now);
        assert_eq!(hall.list(b), ["a"]);
        assert_eq!(hall.pass(5_000), [(900, b)], "a second after the list before");
    }
}

#[test]
fn rooms_and_networks_do_not_mix() {
    let mut hall = Hall::new();
    let (a, b) = (hall.join("r", "a"), hall.join("s", "b"));
    hall.pass(3_000);
    assert_eq!((hall.list(a), hall.list(b)), (vec![], vec![]));
    assert_eq!(hall.rooms.len(), 2);
    for key in [a, b] {
        hall.leave(key);
    }
    assert_eq!((hall.rooms.len(), hall.rooms.members(), hall.rooms.acquainted()), (0, 0, 0));
}

#[test]
fn ids_are_compared_byte_for_byte() {
    let mut hall = Hall::new();
    let keys = ["a", "A", "a ", "\u{e9}", "e\u{301}"].map(|id| hall.join("r", id));
    hall.pass(3_000);
    assert_eq!(hall.list(keys[0]), ["A", "a ", "e\u{301}", "\u{e9}"]);
    let room = hall.rooms.member(keys[0]).room();
    assert_eq!(hall.rooms.by_id(room, "A"), Some(keys[1]));
    assert_eq!(hall.rooms.by_id(room, "AA"), None);
}

#[test]
fn whoever_is_silent_is_off_lists_until_it_speaks_unless_they_have_just_spoken_with_each_other() {
    let mut hall = Hall::new();
    let keys = ["a", "b", "c"].map(|id| hall.join("r", id));
    hall.pass(29_000);
    hall.rooms.signalled(keys[0], keys[1], hall.now);
    hall.pass(1_000);
    assert_eq!(hall.list(keys[0]), ["b", "c"]);
    hall.pass(1);
    assert_eq!(hall.list(keys[0]), ["b"]);
    assert_eq!(hall.list(keys[2]), [] as [&str; 0]);
    hall.rooms.spoke(keys[2], 0, hall.now);
    assert_eq!(hall.list(keys[0]), ["b", "c"]);
    hall.rooms.renew(keys[2], 5_000);
    hall.pass(5_001);
    assert_eq!(hall.list(keys[0]), ["b"], "its lease is shorter");
}

#[test]
fn a_time_stamp_says_when_somebody_was_heard_in_the_clock_of_whoever_reads_it() {
    let mut hall = Hall::new();
    let keys = ["a", "b"].map(|id| hall.join("r", id));
    for (ahead, expected) in [(0, WALL - 4_000), (3_600_000, WALL - 4_000 + 3_600_000), (-9, WALL - 4_009)] {
        let now = hall.now;
        hall.rooms.spoke(keys[1], 77, now);
        hall.pass(4_000);
        let now = hall.now;
        hall.rooms.spoke(keys[0], ahead, now);
        let entries: Vec<_> = hall.rooms.list(keys[0], hall.now, WALL).collect();
        let json = r#"{"peer_id":"b","session_id":"r","timestamp":"#;
        assert_eq!(entries, [ListEntry { member: keys[1], json, timestamp: expected }]);
    }
}

#[test]
fn a_page_gets_one_list_a_second_however_many_come_and_go() {
    let mut hall = Hall::new();
    let first = hall.join("r", "a");
    let mut lists = 0;
    for number in 0..40 {
        let other = hall.join("r", &name(number));
        lists += hall.pass(100).iter().filter(|(_, key)| *key == first).count();
        if number % 2 == 0 {
            hall.leave(other);
        }
    }
    assert!((4..=5).contains(&lists), "{lists} in four seconds");
}

#[test]
fn in_a_room_of_few_everybody_knows_everybody() {
    let mut hall = Hall::new();
    let keys = hall.many(51);
    hall.pass(3_000);
    for key in &keys {
        assert_eq!(hall.list(*key).len(), 50);
    }
    assert_eq!(hall.rooms.acquainted(), 51 * 50 / 2);
}

#[test]
fn in_a_large_room_nobody_knows_too_many_or_too_few_and_all_hang_together() {
    for count in [52, 60, 200, 2_000] {
        let mut hall = Hall::new();
        let keys = hall.many(count);
        hall.pass(3_000);
        for key in &keys {
            let known = hall.list(*key).len();
            assert!((32..=50).contains(&known), "{known} of {count}");
        }
        assert_eq!(reached_from(&hall, keys[0]), count as usize);
    }
}

#[test]
fn a_large_room_hangs_together_while_pages_come_and_go_and_becomes_whole_when_it_is_small_again() {
    let mut hall = Hall::new();
    let mut keys = hall.many(300);
    let mut state = 7;
    for number in 0..2_000 {
        let drawn = crate::peers::index::split_mix(&mut state) % keys.len() as u64;
        let place = usize::try_from(drawn).unwrap();
        hall.leave(keys.swap_remove(place));
        keys.push(hall.join("r", &name(1_000 + number)));
    }
    hall.pass(3_000);
    assert_eq!(reached_from(&hall, keys[0]), 300);
    assert!(keys.iter().all(|key| (16..=50).contains(&hall.list(*key).len())));
    while keys.len() > 40 {
        let key = keys.remove(0);
        hall.leave(key);
        hall.rooms.check_rooms();
    }
    let mut now = hall.now;
    for key in &keys {
        now = now.max(hall.now);
        hall.rooms.spoke(*key, 0, now);
    }
    hall.pass(3_000);
    assert!(keys.iter().all(|key| hall.list(*key).len() == 39), "everybody knows everybody");
}

#[test]
fn an_arrival_in_a_large_room_changes_few_lists() {
    let mut hall = Hall::new();
    hall.many(2_000);
    hall.pass(5_000);
    hall.join("r", "arrival");
    let changed = hall.pass(5_000).len();
    assert!(changed <= 2 * 50, "{changed}");
}

#[test]
fn two_who_have_just_spoken_with_each_other_are_not_parted_by_an_arrival() {
    let mut hall = Hall::new();
    let keys = hall.many(51);
    hall.pass(3_000);
    hall.rooms.signalled(keys[3], keys[4], hall.now);
    for number in 0..40 {
        hall.join("r", &name(1_000 + number));
    }
    assert!(hall.list(keys[3]).contains(&name(4).as_str()));
}

#[test]
fn two_in_a_large_room_who_signal_each_other_are_on_each_others_lists() {
    let mut hall = Hall::new();
    let keys = hall.many(200);
    hall.pass(3_000);
    for number in 0..60 {
        let (from, to) = (keys[number], keys[199 - number]);
        hall.rooms.signalled(from, to, hall.now);
        let ids = [hall.rooms.member(from).id(), hall.rooms.member(to).id()];
        assert!(hall.list(from).contains(&ids[1]) && hall.list(to).contains(&ids[0]), "{number}");
        hall.rooms.check_rooms();
    }
    let flooder = keys[0];
    for key in &keys[1..] {
        hall.rooms.signalled(flooder, *key, hall.now);
    }
    hall.rooms.check_rooms();
    assert_eq!(hall.list(flooder).len(), 50, "and no list grows beyond what lists may have");
}

#[test]
fn whoever_was_lost_is_expected_for_half_a_minute_and_whoever_left_is_not() {
    let mut hall = Hall::new();
    let (a, b) = (hall.join("r", "a"), hall.join("r", "b"));
    hall.join("r", "c");
    hall.leave(b);
    assert_eq!(hall.absent("b"), None);
    hall.lose(a);
    let absent = hall.absent("a").unwrap();
    hall.pass(29_999);
    assert!(hall.rooms.is_expected(absent, hall.now));
    hall.pass(1);
    assert_eq!(hall.absent("a"), None);
}

#[test]
fn when_nobody_is_in_a_room_nobody_is_absent_from_it() {
    let mut hall = Hall::new();
    let keys = ["a", "b"].map(|id| hall.join("r", id));
    hall.lose(keys[0]);
    let to = hall.absent("a").unwrap();
    hall.keep(to, "b", None, "x").unwrap();
    let left = hall.rooms.leave(keys[1], true, &hall.limits, hall.now);
    let dropped: Vec<_> = left.dropped.iter().map(|absent| (absent.id(), absent.mails())).collect();
    assert_eq!((left.told, dropped), (0, vec![("a", 1)]));
    assert_eq!((hall.rooms.len(), hall.rooms.absents().len(), hall.rooms.absents().bytes()), (0, 0, 0));
    hall.rooms.check_rooms();
}

#[test]
fn of_the_frames_of_one_kind_the_newest_waits_and_of_candidates_all_do() {
    let mut hall = Hall::new();
    let a = hall.join("r", "a");
    hall.join("r", "other");
    hall.lose(a);
    let to = hall.absent("a").unwrap();
    for (from, kind, text) in [
        ("b", Some(1), "offer 1"),
        ("b", None, "candidate 1"),
        ("c", Some(1), "offer of c"),
        ("b", None, "candidate 2"),
        ("b", Some(1), "offer 2"),
        ("b", Some(2), "answer"),
    ] {
        assert!(hall.keep(to, from, kind, text).is_ok());
    }
    hall.rooms.check_rooms();
    let mails = texts(hall.rooms.take_absent(to).into_mails());
    assert_eq!(mails, ["candidate 1", "offer of c", "candidate 2", "offer 2", "answer"]);
}

#[test]
fn frames_that_live_longer_are_kept_until_they_expire() {
    let mut hall = Hall::new();
    let a = hall.join("r", "a");
    hall.join("r", "other");
    hall.lose(a);
    hall.pass(25_000);
    let to = hall.absent("a").unwrap();
    hall.keep(to, "b", None, "x").unwrap();
    hall.pass(9_999);
    assert_eq!(hall.absent("a"), Some(to));
    assert!(!hall.rooms.is_expected(to, hall.now));
    hall.pass(1);
    assert_eq!(hall.absent("a"), None);
}

#[test]
fn one_who_is_absent_has_room_for_so_much_and_the_oldest_goes_first() {
    let mut hall = Hall::new();
    hall.limits.mailbox_messages = 3;
    let a = hall.join("r", "a");
    hall.join("r", "other");
    hall.lose(a);
    let to = hall.absent("a").unwrap();
    let made_room: Vec<_> = (0..5).map(|number| hall.keep(to, "b", None, &name(number))).collect();
    assert_eq!(made_room, [Ok(0), Ok(0), Ok(0), Ok(1), Ok(1)]);
    let long = "x".repeat(hall.limits.mailbox_bytes as usize);
    assert_eq!(hall.keep(to, "b", None, &long), Err(MailRefused));
    assert_eq!(texts(hall.rooms.take_absent(to).into_mails()), [name(2), name(3), name(4)]);
}

#[test]
fn where_all_together_have_too_much_whoever_wrote_most_gives_way() {
    let mut hall = Hall::new();
    hall.limits.mailbox_total_bytes = 4 * 4_000;
    let keys = ["a", "b"].map(|id| hall.join("r", id));
    hall.join("r", "other");
    keys.into_iter().for_each(|key| hall.lose(key));
    let (a, b) = (hall.absent("a").unwrap(), hall.absent("b").unwrap());
    assert!((0..20).all(|number| hall.keep(a, "flooder", None, &name(number)).is_ok()));
    assert!(hall.keep(b, "other", None, "y").is_ok());
    hall.rooms.check_rooms();
    assert!(hall.rooms.absents().bytes() <= 4_000);
    assert_eq!(texts(hall.rooms.take_absent(b).into_mails()), ["y"]);
}

#[test]
fn of_too_many_who_are_absent_one_is_forgotten_even_if_its_room_is_the_same() {
    let mut hall = Hall::new();
    hall.limits.mailboxes = 1;
    hall.join("r", "other");
    for id in ["a", "b", "c"] {
        let key = hall.join("r", id);
        hall.lose(key);
        hall.pass(10);
        assert!(hall.absent(id).is_some(), "{id}");
        assert_eq!(hall.rooms.absents().len(), 1);
    }
    hall.limits.mailboxes = 0;
    let key = hall.join("r", "d");
    hall.lose(key);
    assert_eq!(hall.absent("d"), None);
}

#[test]
fn who_waits_for_an_id_is_next_when_it_is_free() {
    let mut hall = Hall::new();
    let a = hall.join("r", "a");
    let announcement = Joining {
        scope: Scope { network: "n".into(), session: "r".into() },
        id: "a".into(),
        lease_ms: 1,
        clock_ahead: 0,
        message_id: "".into(),
    };
    hall.rooms.claim(ConnId(90), a, announcement.clone(), hall.now);
    hall.rooms.claim(ConnId(91), a, announcement, hall.now);
    hall.rooms.check_rooms();
    assert_eq!(hall.rooms.claimants().count(), 2);
    assert!(hall.rooms.take_claim(ConnId(91)).is_some());
    let due = |hall: &Hall| hall.rooms.next_due().map(|due| due.since(hall.now));
    assert_eq!(due(&hall), Some(2_000));
    hall.leave(a);
    assert_eq!(due(&hall), Some(1));
    let now = hall.now + 1;
    assert_eq!(hall.rooms.pop_due(now), Some((now, Task::Claim(ConnId(90)))));
    let claim = hall.rooms.take_claim(ConnId(90)).unwrap();
    assert_eq!((claim.member, claim.since), (None, hall.now));
    hall.rooms.check_rooms();
}

#[test]
fn whoever_is_said_to_have_gone_has_two_seconds_for_a_sign_of_life() {
    for (heard, late, has_gone) in [(None, 0, true), (Some(1), 0, false), (Some(1), 5_000, false)] {
        let mut hall = Hall::new();
        let a = hall.join("r", "a");
        assert!(hall.rooms.probe(a, NOW));
        assert!(!hall.rooms.probe(a, NOW + 500), "asked once is enough");
        let (due, task) = hall.rooms.pop_due(NOW + 2_000).unwrap();
        assert_eq!((due, task), (NOW + 2_000, Task::Probe(a)));
        let heard = heard.map_or(NOW, |after| NOW + after);
        assert_eq!(hall.rooms.has_gone(a, heard, due, due + late), has_gone);
        hall.rooms.check_rooms();
        assert_eq!(hall.rooms.next_due(), None);
    }
}

#[test]
fn whoever_could_not_be_heard_since_the_server_did_not_listen_has_another_second_once() {
    let mut hall = Hall::new();
    let a = hall.join("r", "a");
    hall.rooms.probe(a, NOW);
    let (due, _) = hall.rooms.pop_due(NOW + 9_000).unwrap();
    assert!(!hall.rooms.has_gone(a, NOW, due, NOW + 9_000));
    hall.rooms.check_rooms();
    let (due, _) = hall.rooms.pop_due(NOW + 19_000).unwrap();
    assert_eq!(due, NOW + 10_000);
    assert!(hall.rooms.has_gone(a, NOW, due, NOW + 19_000));

    let mut hall = Hall::new();
    let a = hall.join("r", "a");
    hall.rooms.probe(a, NOW);
    hall.leave(a);
    assert_eq!(hall.rooms.next_due(), None);
}

/// How many can be reached over those whom somebody knows, and so on.
fn reached_from(hall: &Hall, start: MemberKey) -> usize {
    let room = hall.rooms.member(start).room();
    let mut reached = alloc::collections::BTreeSet::from([start]);
    let mut next = vec![start];
    while let Some(key) = next.pop() {
        for id in hall.list(key) {
            let other = hall.rooms.by_id(room, id).unwrap();
            if reached.insert(other) {
                next.push(other);
            }
        }
    }
    reached.len()
}
