//! What holds of any scenario, not only of those that a seed draws: proptest takes steps from one and knobs from another.

use peerpigeon_simulator::scenario::{Level, Scenario};
use peerpigeon_simulator::{blame, run};
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// Some of the steps that one seed draws, with the knobs that another one draws.
fn mixed(level: Level) -> impl Strategy<Value = Scenario> {
    any::<[u64; 2]>().prop_flat_map(move |seeds| {
        let [steps, knobs] = seeds.map(|seed| Scenario::draw(seed, level));
        let count = steps.steps.len();
        subsequence(steps.steps, 0..=count).prop_map(move |steps| Scenario { steps, ..knobs.clone() })
    })
}

fn hold_every_law(level: Level, cases: u32) {
    // The same scenarios in each run: a new one belongs to the commit that breaks it. Making it small is our work.
    let rng_seed = RngSeed::Fixed(1);
    let config =
        Config { cases, rng_seed, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&mixed(level), |scenario| {
        run(&scenario).map(|_| ()).map_err(|violation| TestCaseError::fail(violation.to_string()))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{why}"),
        Err(TestError::Fail(_, scenario)) => {
            let violation = run(&scenario).expect_err("the same run gives the same");
            panic!("{}", blame(&scenario, &violation, "the scenario at the end", 60, None));
        }
    }
}

#[test]
fn any_steps_of_a_scenario_hold_every_law_with_the_knobs_of_any_other_with_messages() {
    hold_every_law(Level::Messages, 100);
}

#[test]
fn any_steps_of_a_scenario_hold_every_law_with_the_knobs_of_any_other_with_bytes() {
    hold_every_law(Level::Bytes, 20);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_scenario_survives_its_file_form(messages in mixed(Level::Messages), bytes in mixed(Level::Bytes)) {
        for scenario in [messages, bytes] {
            let text = scenario.to_json();
            prop_assert_eq!(Scenario::parse(&text), Ok(scenario), "{}", text);
        }
    }
}
