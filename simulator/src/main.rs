//! temporary
fn main() {
    let a: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap_or(0)).collect();
    for seed in a[0]..a[1] {
        let scenario = peerpigeon_simulator::scenario::Scenario::draw(seed);
        if let Err(v) = peerpigeon_simulator::run(&scenario) {
            eprintln!("seed {seed}: {v}\n");
            if a.len() > 2 {
                let (scenario, v) = peerpigeon_simulator::shrink(&scenario, 2000).unwrap();
                eprintln!(
                    "{v}\n{}\n{}",
                    scenario.to_json(),
                    peerpigeon_simulator::diagram(&scenario, a[2] as usize)
                );
            }
        }
    }
}
