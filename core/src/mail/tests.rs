//! Mailboxes at their own edge: for how long, for whom, and who makes room.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::mailboxes::{Full, Keeping, Mail, Mailboxes, Owner, unexpired};
use crate::mesh::networks::{NetKey, Networks};
use crate::timers::Timers;
use crate::wire::MessageId;
use crate::{AddressKey, ConnId, Holder, Limits, PeerId, Signal, Spelling, Time, TimerKind};

const HOLDER: Holder = Holder::Connection(ConnId(1));
const TTL: u64 = 1_000;

fn spelling(number: u8) -> Spelling {
    Spelling::parse(&format!("{number:040x}")).unwrap()
}

fn id(number: u8) -> PeerId {
    *spelling(number).id()
}

fn limits() -> Limits {
    Limits { message_ttl_ms: TTL, ..Limits::default() }
}

/// Boxes of these peers in one network, with how they are owned.
fn boxes(of: &[u8], holder: Holder) -> (Mailboxes, NetKey) {
    let network = Networks::default().acquire("net", HOLDER);
    let mut mailboxes = Mailboxes::default();
    for number in of {
        mailboxes.open(id(*number), Owner { holder, is_proven: false }, network, Time(TTL));
    }
    (mailboxes, network)
}

fn mail(number: u64, from: u8, writer: u64, bytes: usize, arrived: u64) -> Mail {
    Mail {
        from: spelling(from),
        signal: Signal::Offer,
        data: Some("x".repeat(bytes).into_boxed_str()),
        arrived: Time(arrived),
        writer: Holder::Address(AddressKey(writer)),
        id: MessageId(number),
        keeping: Keeping::Here,
    }
}

/// Checks the sums, where nothing is swept.
fn check(mailboxes: &mut Mailboxes, limits: &Limits) {
    let mut timers = Timers::default();
    mailboxes.sweep_begins();
    mailboxes.arm_sweep(Time(0), limits, &mut timers);
    assert_eq!(mailboxes.check(limits, &timers), 1);
}

#[test]
fn a_lost_peer_is_known_for_a_time_that_mail_does_not_prolong() {
    let (mut mailboxes, network) = boxes(&[1], HOLDER);
    assert_eq!(mailboxes.put(&id(1), mail(1, 2, 1, 10, 900), &limits()), Ok(Vec::new()));
    assert_eq!(mailboxes.known_in(&id(1), Time(999)), Some(network));
    assert_eq!(mailboxes.known_in(&id(1), Time(1_000)), None);
    assert_eq!(mailboxes.network_of(&id(1), Time(1_899)), Some(network), "its mail may be delivered still");
    assert_eq!(mailboxes.network_of(&id(1), Time(1_900)), None);
    assert_eq!(mailboxes.oldest(), Some((Time(1_900), id(1))));
    check(&mut mailboxes, &limits());
}

#[test]
fn in_a_full_box_the_oldest_mail_of_whoever_has_most_there_makes_room() {
    let limits = Limits { mailbox_messages: 3, ..limits() };
    let (mut mailboxes, _) = boxes(&[1], HOLDER);
    for (number, writer) in [(1, 7), (2, 8), (3, 8)] {
        assert_eq!(mailboxes.put(&id(1), mail(number, 2, writer, 10, number), &limits), Ok(Vec::new()));
    }
    assert_eq!(mailboxes.put(&id(1), mail(4, 2, 9, 10, 4), &limits), Ok(Vec::from([id(1)])));
    check(&mut mailboxes, &limits);
    let (_, mails) = mailboxes.close(&id(1)).unwrap();
    assert!(mails.iter().map(|mail| mail.id.0).eq([1, 3, 4]));
    assert_eq!((mailboxes.len(), mailboxes.mails(), mailboxes.bytes()), (0, 0, 0));
}

#[test]
fn where_all_boxes_are_full_the_largest_writer_pays_and_what_fits_nowhere_is_not_taken() {
    let one = (Mail::OVERHEAD_BYTES + 100) as u64;
    let limits = Limits { mailbox_total_bytes: 2 * one, ..limits() };
    let (mut mailboxes, _) = boxes(&[1, 2], HOLDER);
    mailboxes.put(&id(1), mail(1, 3, 7, 100, 1), &limits).unwrap();
    mailboxes.put(&id(2), mail(2, 3, 7, 100, 2), &limits).unwrap();
    assert_eq!(mailboxes.put(&id(2), mail(3, 3, 8, 100, 3), &limits), Ok(Vec::from([id(1)])));
    assert_eq!(mailboxes.put(&id(2), mail(4, 3, 8, 3_000, 4), &limits), Err(Full));
    assert_eq!(mailboxes.put(&id(9), mail(5, 3, 8, 1, 5), &limits), Err(Full), "it has no box");
    check(&mut mailboxes, &limits);
}

#[test]
fn mail_of_one_sender_is_found_and_forgotten_and_no_other() {
    let (mut mailboxes, _) = boxes(&[1, 2], HOLDER);
    for (number, from, to) in [(1, 3, 1), (2, 4, 1), (3, 3, 1), (4, 3, 2)] {
        mailboxes.put(&id(to), mail(number, from, 1, 1, number), &limits()).unwrap();
    }
    assert_eq!(mailboxes.addressees(&id(3)), [id(1), id(2)]);
    assert_eq!((mailboxes.forget(&id(3), &id(1)), mailboxes.forget(&id(3), &id(1))), (2, 0));
    assert_eq!((mailboxes.addressees(&id(3)), mailboxes.mails()), (Vec::from([id(2)]), 2));
    check(&mut mailboxes, &limits());
}

#[test]
fn where_there_are_too_many_boxes_one_of_whoever_has_more_gives_way_else_the_next_to_expire() {
    let network = Networks::default().acquire("net", HOLDER);
    let mut mailboxes = Mailboxes::default();
    let crowd = Holder::Address(AddressKey(1));
    for (number, holder, until) in [(1, HOLDER, 1), (2, crowd, 2), (3, crowd, 3)] {
        mailboxes.open(id(number), Owner { holder, is_proven: number == 1 }, network, Time(until));
    }
    assert_eq!(mailboxes.gives_way(Holder::Connection(ConnId(5))), Some(id(2)));
    mailboxes.close(&id(2));
    assert_eq!(mailboxes.gives_way(Holder::Connection(ConnId(5))), Some(id(1)));
    assert!(mailboxes.is_proven(&id(1)) && !mailboxes.is_proven(&id(3)));
    assert!(mailboxes.absent_from(network).eq([&id(1), &id(3)]));
}

#[test]
fn a_sweep_is_armed_once_until_it_begins() {
    let (mut mailboxes, mut timers) = (Mailboxes::default(), Timers::default());
    mailboxes.arm_sweep(Time(5), &limits(), &mut timers);
    mailboxes.arm_sweep(Time(9), &limits(), &mut timers);
    assert_eq!(timers.next(), Some((Time(60_005), TimerKind::Sweep)));
    assert!(timers.pop_due(Time(60_005)).is_some());
    mailboxes.sweep_begins();
    assert_eq!(mailboxes.check(&limits(), &timers), 0);
}

#[test]
fn what_has_waited_too_long_is_told_from_what_has_not() {
    let mails = VecDeque::from([mail(1, 2, 1, 1, 0), mail(2, 2, 1, 1, 500), mail(3, 2, 1, 1, 501)]);
    let (expired, rest) = unexpired(mails, Time(1_500), TTL);
    assert_eq!(expired, 2);
    assert!(rest.map(|mail| mail.id.0).eq([3]));
}
