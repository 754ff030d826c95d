//! What strangers' bytes go through, with the inputs that fuzzing keeps, and with those cut and changed. `make
//! fuzz-parsers` looks for more.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[path = "../../fuzz/parsers.rs"]
mod fuzzed;

/// Altered inputs of each kept one; `PARSER_ROUNDS` says how many else.
const ROUNDS: u32 = 30;

#[test]
fn nothing_that_strangers_send_breaks_what_reads_it() {
    let rounds = std::env::var("PARSER_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    for (name, parse) in fuzzed::PARSERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 10, "{name}");
        for file in files {
            let kept = std::fs::read(&file).unwrap();
            parse(&kept);
            let mut random = StdRng::seed_from_u64(kept.len() as u64);
            for _ in 0..rounds {
                let mut altered = kept.clone();
                for _ in 0..random.random_range(1..4) {
                    alter(&mut altered, &mut random);
                }
                parse(&altered);
            }
        }
    }
}

fn alter(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let at = random.random_range(0..=bytes.len());
    match random.random_range(0..5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.random()),
        2 => bytes.insert(at, *b"{}[]()'\"`/\\.:,=0 -_".get(random.random_range(0..19)).unwrap()),
        3 if at < bytes.len() => _ = bytes.remove(at),
        _ => {
            let part = bytes[..at].to_vec();
            bytes.extend(part);
        }
    }
}
