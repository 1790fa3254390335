//! Many worlds by their seed: chaos, then calm.

use super::world::{Faults, Random, World};

const SEEDS: u64 = 300;

/// Up to three seconds of delay: longer than a death takes, so that frames come from beginnings that are over.
fn faults(random: &mut Random) -> Faults {
    Faults {
        drop_percent: [0, 2, 10, 30][index(random, 4)],
        repeat_percent: [0, 5, 30][index(random, 3)],
        delay_ms: [1, 20, 300][index(random, 3)],
        long_delay_ms: [1, 500, 3_500][index(random, 3)],
    }
}

fn index(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.below(end as u64)).unwrap()
}

fn event_length(random: &mut Random) -> usize {
    match random.below(20) {
        0 => 1 + index(random, 200 * 1024),
        1..4 => 1 + index(random, 20 * 1024),
        _ => 1 + index(random, 300),
    }
}

/// What is to be undone later, and when.
enum Undo {
    Up(usize),
    AllUp,
    Mend,
    Start,
}

/// One fault more or less, or a few events.
fn act(world: &mut World, undo: &mut alloc::vec::Vec<(u64, Undo)>, is_quiet: bool) {
    let alive = world.alive();
    let host = alive[index(&mut world.random, alive.len())];
    let now = world.now;
    let outage = [1_000, 20_000, 40_000][index(&mut world.random, 3)];
    match world.random.below(if is_quiet { 40 } else { 1_000 }) {
        0..8 => {
            world.set_bus(host, false);
            undo.push((now + outage, Undo::Up(host)));
        }
        8..12 => {
            alive.iter().for_each(|host| world.set_bus(*host, false));
            undo.push((now + outage, Undo::AllUp));
        }
        12..20 => {
            let other = alive[index(&mut world.random, alive.len())];
            world.cuts.insert((world.hosts[host].id, world.hosts[other].id));
            undo.push((now + 100 + world.random.below(8_000), Undo::Mend));
        }
        20..24 if alive.len() > 1 => {
            let is_bye_said = world.random.percent(50);
            world.stop(host, is_bye_said);
            undo.push((now + world.random.below(8_000), Undo::Start));
        }
        24..28 => world.hosts[host].paused_until = now + 10_000,
        28..34 => world.faults = faults(&mut world.random),
        _ => {
            for _ in 0..=world.random.below(4) {
                let length = event_length(&mut world.random);
                match world.random.percent(50) {
                    true => world.push_and_flush(host, length),
                    false => world.push_to_any(host, length),
                }
            }
        }
    }
}

fn undo(world: &mut World, what: &Undo) {
    match what {
        Undo::Up(host) if world.hosts[*host].is_alive => world.set_bus(*host, true),
        Undo::Up(_) => {}
        Undo::AllUp => world.alive().into_iter().for_each(|host| world.set_bus(host, true)),
        Undo::Mend => world.cuts.clear(),
        Undo::Start => world.start(),
    }
}

/// Who has nothing to say sends beats alone.
fn idle(world: &mut World) {
    let (before, alive) = (world.frames, world.alive().len() as u64);
    world.run(world.now + 10_000);
    let [all, single] = [0, 1].map(|kind| world.frames[kind] - before[kind]);
    assert!(all <= 20 * alive + alive, "{all} broadcasts");
    assert_eq!(single, 0, "more frames than beats");
}

fn run(seed: u64) -> u64 {
    let mut random = Random(seed);
    let hosts = 2 + random.below(4);
    let buffer_bytes = [64 * 1024, 1 << 20, 16 << 20][index(&mut random, 3)];
    let mut world = World::new(random.next(), hosts, buffer_bytes, faults(&mut random));
    world.most_state = [1, 3, 6][index(&mut random, 3)];
    let pause = [400, 400, 4_000][index(&mut random, 3)];
    let mut undoing = alloc::vec::Vec::new();
    let end = 20_000 + random.below(60_000);
    while world.now < end {
        let until = world.now + 1 + world.random.below(pause);
        world.run(until);
        let now = world.now;
        for (_, what) in undoing.extract_if(.., |(when, _)| *when <= now).collect::<alloc::vec::Vec<_>>() {
            undo(&mut world, &what);
        }
        act(&mut world, &mut undoing, pause > 1_000);
    }

    world.faults = Faults::NONE;
    world.cuts.clear();
    world.run(world.now + 10_000);
    world.alive().into_iter().for_each(|host| world.set_bus(host, true));
    world.run(world.now + 20_000);
    world.assert_settled();
    idle(&mut world);
    for _ in 0..20 {
        for host in world.alive() {
            let length = event_length(&mut world.random);
            world.push_and_flush(host, length);
        }
        world.run(world.now + 10);
    }
    world.run(world.now + 3_000);
    world.assert_settled();

    idle(&mut world);
    world.assert_settled();
    world.delivered
}

#[test]
fn streams_hold_their_promises_whatever_the_bus_does() {
    let delivered: u64 = (0..SEEDS).map(run).sum();
    assert!(delivered > SEEDS * 100, "hardly anything was delivered: {delivered}");
}
