use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

fn spelling() -> Spelling {
    Spelling::parse("0123456789abcdefABCDEF0123456789aBcDeF00").unwrap()
}

fn written(write: impl FnOnce(Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(Writer(&mut out));
    out
}

fn grant() -> Grant {
    Grant { peer: Some("me".into()), networks: Some(Box::new(["a".into(), "".into()])) }
}

/// One of each.
fn all() -> Vec<Vec<u8>> {
    let (id, name) = (*spelling().id(), Name::from_parts(7, 8));
    let ties = [
        ToldTie { other: Some((NodeId(1), 2)), is_linked: true },
        ToldTie { other: Some((NodeId(3), 4)), is_linked: false },
        ToldTie { other: None, is_linked: false },
    ];
    vec![
        written(|out| out.begin()),
        written(|out| out.end()),
        written(|out| out.here(1, 2, spelling(), true, false)),
        written(|out| out.announced(1, 2, 3, "a network", ",\"a\":1")),
        written(|out| out.departed(1, 2)),
        written(|out| out.gone(1, Departure::Closed(CloseReason::Replaced))),
        written(|out| out.links(1, true, 300, ties.into_iter())),
        written(|out| out.knows(1, [2, 3].into_iter())),
        written(|out| out.introduced(1, 2, true, Occasion::Again)),
        written(|out| out.parted(1, 2)),
        written(|out| out.evicted(1, 2)),
        written(|out| out.signal(spelling(), 1, Signal::Answer, name, Passed::Mail, Some("{}"))),
        written(|out| out.refused(id, Refused::TooSlow)),
        written(|out| out.challenge(1)),
        written(|out| out.alive(1)),
        written(|out| out.ask(id)),
        written(|out| out.posted(1, "body", &grant())),
        written(|out| out.polled(1, "/target", &Grant::ANY)),
        written(|out| out.replied(1, 503, "text")),
        written(|out| out.abandoned(1)),
        written(|out| out.cleanup(id, Some(id))),
    ]
}

#[test]
fn what_is_told_is_heard_as_it_was() {
    let (id, name) = (*spelling().id(), Name::from_parts(7, 8));
    let all = all();
    let told: Vec<Told<'_>> = all.iter().map(|event| Told::read(event).unwrap()).collect();
    let [begin, end, here, announced, departed, gone, links, knows, rest @ ..] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!([begin, end], [&Told::Begin, &Told::End]);
    let session = Told::Here { own: 1, stamp: 2, spelling: spelling(), is_proven: true, is_reachable: false };
    assert_eq!(*here, session);
    let (network, data) = ("a network", ",\"a\":1");
    assert_eq!(*announced, Told::Announced { before: 1, own: 2, max_links: 3, network, data });
    assert_eq!(*departed, Told::Departed { before: 1, own: 2 });
    assert_eq!(*gone, Told::Gone { own: 1, cause: Departure::Closed(CloseReason::Replaced) });
    let Told::Links { own: 1, is_full: true, acquaintances: 300, ties } = links else { panic!("{links:?}") };
    let stages: Vec<LinkStage> = ties.iter().map(|tie| tie.stage(9.into())).collect();
    assert_eq!(stages, [LinkStage::Linked, LinkStage::Offered { by: 9.into() }, LinkStage::Ended]);
    let Told::Knows { own: 1, others } = knows else { panic!("{knows:?}") };
    assert!(others.iter().eq([2, 3]));
    let (rest, requests) = rest.split_at(8);
    let [posted, polled, replied, abandoned, cleanup] = requests else { panic!("{requests:?}") };
    assert!(
        matches!(posted, Told::Posted { request: 1, body: "body", grant: told } if told.grant() == grant())
    );
    assert!(
        matches!(polled, Told::Polled { request: 1, target: "/target", grant: told } if told.grant() == Grant::ANY)
    );
    assert_eq!(*replied, Told::Replied { request: 1, status: 503, text: "text" });
    assert_eq!(*abandoned, Told::Abandoned { request: 1 });
    assert_eq!(*cleanup, Told::Cleanup { from: id, to: Some(id) });
    assert_eq!(
        rest,
        [
            Told::Introduced { own: 1, other: 2, are_mates: true, occasion: Occasion::Again },
            Told::Parted { own: 1, other: 2 },
            Told::Evicted { own: 1, other: 2 },
            Told::Signal {
                from: spelling(),
                other: 1,
                signal: Signal::Answer,
                name,
                passage: Passed::Mail,
                data: Some("{}")
            },
            Told::Refused { from: id, why: Refused::TooSlow },
            Told::Challenge { other: 1 },
            Told::Alive { own: 1 },
            Told::Ask { id },
        ]
    );
    assert_eq!(name.to_string(), "7-0000000000000008");
}

#[test]
fn what_is_cut_short_or_unknown_is_skipped_and_what_a_later_version_adds_is_ignored() {
    for event in all() {
        for end in 0..event.len() {
            // A text at the end may be shorter, but says how long it is.
            assert_eq!(Told::read(&event[..end]), None, "{event:?} cut at {end}");
        }
        let mut longer = event.clone();
        longer.extend(b"more");
        assert_eq!(Told::read(&longer), Told::read(&event));
    }
    assert_eq!(Told::read(&[200, 1, 2, 3]), None);
}

#[test]
fn every_cause_has_a_number_of_its_own() {
    for cause in CAUSES {
        assert_eq!(cause_of(code_of(cause)), Some(cause));
    }
    let closes = CAUSES.iter().filter(|cause| matches!(cause, Departure::Closed(_))).count();
    assert_eq!(closes, CloseReason::ALL.len());
    assert_eq!(cause_of(200), None);
}
