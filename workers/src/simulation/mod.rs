//! The engine without a database, a network or a clock: workers, users and upkeep against a store in memory, where
//! everything goes wrong that can, in an order that a seed decides. The decisions are the real ones: what a transition
//! is ([`trunkline_workflow::advance`]), what a command does, which routes are taken, whether a failure is tried again,
//! what a worker believes of its lease and of a commit that nobody answered. What SQL does with them is modelled in
//! [`memory`], condition by condition.
//!
//! ```text
//!   users ──┐            a request may be lost, be late, be answered to nobody, come twice;
//!   workers ┼─► memory   workers die and stop for a while; the database's clock jumps
//!   upkeep ─┘
//! ```
//!
//! After every commit the rows are checked, and at the end that everything came to one ([`memory::Memory::check`],
//! [`world::World::check_end`]). `SEED=…` runs one seed and tells what happened, `SEEDS=…` that many.

mod memory;
mod steps;
mod tables;
mod worker;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// Seeds of one run, besides those that are asked for.
const SEEDS: u64 = 2_000;

/// Mistakes that the simulation must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// A completion is written whoever holds the job.
    NoFence,
    /// A completion is written whichever job of the path it is of, and repeated when nobody answers.
    Twice,
    /// A worker that is declared lost keeps its jobs.
    NoRescue,
    /// A rescued job is claimed while its instance is suspended.
    NotHeld,
    /// Timers go off before their time.
    Early,
    /// What is terminated keeps what is parked.
    HalfTerminated,
    /// An event that comes twice is taken twice.
    EventTwice,
    /// An event that was faster than its wait is forgotten.
    NoLookBack,
    /// A start that is repeated starts again.
    StartTwice,
}

/// The first seed that breaks something, and what. All processors look.
fn first_failure(bug: Bug, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let first = AtomicU64::new(u64::MAX);
    let look = &|from: usize| {
        for seed in seeds.clone().skip(from).step_by(threads) {
            if seed > first.load(Ordering::Relaxed) {
                return None;
            }
            if let Err(broken) = World::new(seed, bug).run() {
                first.fetch_min(seed, Ordering::Relaxed);
                return Some((seed, broken));
            }
        }
        None
    };
    std::thread::scope(|scope| {
        let looking: Vec<_> = (0..threads).map(|from| scope.spawn(move || look(from))).collect();
        looking.into_iter().filter_map(|one| one.join().unwrap()).min()
    })
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_or_done_twice() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let one = seeds.end - seeds.start == 1;
    if let Some((seed, broken)) = first_failure(Bug::None, seeds.clone()) {
        let mut world = World::new(seed, Bug::None).telling();
        let _ = world.run();
        panic!("{broken}\n{}\nagain: SEED={seed} cargo test -p trunkline-workers simulation", world.told());
    }
    if one {
        let mut world = World::new(seeds.start, Bug::None).telling();
        world.run().unwrap();
        println!("{}", world.told());
    }
}

#[test]
fn a_seed_is_the_same_every_time() {
    let told = |seed| {
        let mut world = World::new(seed, Bug::None).telling();
        world.run().unwrap();
        world.whole_story()
    };
    for seed in [1, 2, 3] {
        assert_eq!(told(seed), told(seed));
    }
}

/// What goes wrong in the simulation does go wrong, and what is simulated is done.
#[test]
fn the_faults_and_the_ways_of_an_instance_all_happen() {
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..50 {
        let mut world = World::new(seed, Bug::None);
        world.run().unwrap();
        for (what, count) in world.counts() {
            *counts.entry(what).or_insert(0) += count;
        }
    }
    for what in [
        "request lost",
        "answer lost",
        "commit late",
        "crash",
        "pause",
        "clock jump",
        "start repeated",
        "event repeated",
        "refused",
        "settled",
        "rescued",
        "released",
        "looked back",
        "resumed by event",
        "due",
        "suspend",
        "resume",
        "terminate",
        "complete",
        "failed",
        "effect",
        "effect repeated",
        "abandoned",
        "continued",
        "forked",
        "closed",
        "given back",
        "lost",
    ] {
        assert!(counts.get(what).is_some_and(|count| *count > 0), "never: {what}; {counts:?}");
    }
}

#[test]
fn planted_mistakes_are_found() {
    for (bug, found_by) in [
        (Bug::NoFence, "I6"),
        (Bug::Twice, "I2"),
        (Bug::NoRescue, "I3"),
        (Bug::NotHeld, "held"),
        (Bug::Early, "I8"),
        (Bug::HalfTerminated, "I10"),
        (Bug::EventTwice, "event"),
        (Bug::NoLookBack, "event"),
        (Bug::StartTwice, "I1"),
    ] {
        let (seed, broken) = first_failure(bug, 0..SEEDS).unwrap_or_else(|| panic!("{bug:?} is not found"));
        assert!(broken.contains(found_by), "{bug:?} is found by something else, at {seed}: {broken}");
    }
}
