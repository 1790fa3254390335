//! Two ways to make a failing scenario small, side by side: ours, and proptest's.

use peerpigeon_core::Limits;
use peerpigeon_simulator::scenario::{Behaviour, IdPool, Knobs, Level, Scenario, Way};
use peerpigeon_simulator::{run, shrink};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{SEEDS, alone, tell, with};

const FAULTS: [&str; 5] =
    ["mail_twice", "other_network_reached", "linked_again", "drain_forgets_held", "held_without_cap"];

#[test]
fn our_shrinking_leaves_no_more_of_a_failure_than_that_of_a_library() {
    let _alone = alone();
    tell(&format!("{:<22}{:>12}{:>28}{:>28}", "", "drawn", "ours", "proptest"));
    for fault in FAULTS {
        with(fault, || compare(fault));
    }
}

fn compare(fault: &str) {
    let draw = |seed| Scenario::draw(seed, Level::Messages);
    let drawn = (0..SEEDS).map(draw).find(|drawn| law_of(drawn).is_some()).unwrap();
    let law = law_of(&drawn).unwrap();
    let ours = shrink(&drawn, 20_000_000).unwrap();
    let (its, runs) = by_proptest(&drawn, &law);
    for small in [&ours.scenario, &its] {
        assert_eq!(law_of(small).as_ref(), Some(&law), "{fault}");
    }
    let told = |small: &Scenario, runs| {
        format!("{} steps, {} B, {runs} runs", small.steps.len(), small.to_json().len())
    };
    let (steps, ours_told) = (drawn.steps.len(), told(&ours.scenario, ours.runs));
    tell(&format!("{fault:<22}{:>12}{ours_told:>28}{:>28}", format!("{steps} steps"), told(&its, runs)));
    assert!(ours.scenario.steps.len() <= its.steps.len(), "{fault}");
}

fn law_of(scenario: &Scenario) -> Option<String> {
    run(scenario).err().map(|violation| violation.breach.law)
}

/// What proptest leaves of a scenario, and after how many runs.
fn by_proptest(drawn: &Scenario, law: &str) -> (Scenario, u32) {
    let mut tree = parts_of(drawn).new_tree(&mut TestRunner::deterministic()).unwrap();
    assert_eq!(tree.current(), *drawn);
    let (mut best, mut runs) = (tree.current(), 0);
    let mut goes_on = tree.simplify();
    while goes_on {
        runs += 1;
        let small = tree.current();
        let breaks = law_of(&small).as_deref() == Some(law);
        goes_on = if breaks { tree.simplify() } else { tree.complicate() };
        if breaks {
            best = small;
        }
    }
    (best, runs)
}

/// A scenario of which each step can be left out, and each knob be plain; nothing is to begin with.
fn parts_of(drawn: &Scenario) -> impl Strategy<Value = Scenario> + use<> {
    let drawn = drawn.clone();
    let kept = |count| vec(prop::bool::weighted(1.0), count);
    (kept(drawn.steps.len()), kept(PLAIN.len())).prop_map(move |(steps, knobs)| {
        let mut scenario = drawn.clone();
        let mut kept = steps.into_iter();
        scenario.steps.retain(|_| kept.next() == Some(true));
        for (plain, _) in PLAIN.iter().zip(knobs).filter(|(_, kept)| !kept) {
            plain(&mut scenario.knobs);
        }
        scenario
    })
}

const PLAIN: [fn(&mut Knobs); 9] = [
    |knobs| knobs.limits = Limits::default(),
    |knobs| knobs.behaviour = Behaviour::Quiet,
    |knobs| knobs.ids = IdPool::Sparse,
    |knobs| knobs.ways = vec![Way::A],
    |knobs| knobs.networks = 1,
    |knobs| knobs.delay_ms = (0, 0),
    |knobs| knobs.slots_per_address = 0,
    |knobs| knobs.capacity = 3,
    |knobs| knobs.max_peers = None,
];
