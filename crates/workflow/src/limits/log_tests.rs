use proptest::prelude::*;

use super::*;
use crate::limits::Period;

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
}

fn rate(messages: u32) -> Rate {
    Rate { messages, per: Period::Second }
}

#[test]
fn there_is_room_until_the_rate_is_used_and_again_when_the_first_is_a_period_old() {
    let (mut log, rate) = (Log::default(), rate(2));
    for millis in [0, 300] {
        assert_eq!(log.free_at(at(millis), rate, 0), at(millis));
        log.note(at(millis), rate);
    }
    assert_eq!(log.room(at(400), rate), 0);
    let waits = [(0, 1_000), (1, 1_300), (2, 2_000), (3, 2_300), (4, 3_000)];
    for (ahead, millis) in waits {
        assert_eq!(log.free_at(at(400), rate, ahead), at(millis), "behind {ahead}");
    }
    assert_eq!(log.room(at(1_000), rate), 1);
    log.forget(at(1_100), rate);
    assert_eq!(log.over_at(rate), Some(at(1_300)));
}

#[test]
fn whoever_waits_alone_behind_others_waits_for_them() {
    let log = Log::default();
    let waits = [(0, 0), (1, 1_000), (2, 2_000)];
    for (ahead, millis) in waits {
        assert_eq!(log.free_at(at(0), rate(1), ahead), at(millis), "behind {ahead}");
    }
}

#[test]
fn a_rate_that_was_lowered_waits_until_enough_have_left() {
    let mut log = Log::default();
    for millis in [0, 100, 200] {
        log.note(at(millis), rate(3));
    }
    assert_eq!(log.free_at(at(250), rate(1), 0), at(1_200));
}

#[test]
fn a_large_rate_keeps_few_entries() {
    let (mut log, rate) = (Log::default(), rate(10_000));
    for millis in 0..20_000 {
        let now = at(millis);
        for _ in 0..10 {
            log.note(now, rate);
        }
        log.forget(now, rate);
    }
    assert!(log.0.len() <= 66, "{}", log.0.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whoever comes when, and is let through as soon as it may be: no window has more in it than the rate allows.
    #[test]
    fn no_window_has_more_than_the_rate(
        messages in prop_oneof![1_u32..6, 60_u32..70, 100_u32..300],
        asks in proptest::collection::vec((0_i64..40_000, 0_i64..150_000), 1..900),
    ) {
        let (mut log, rate) = (Log::default(), rate(messages));
        let (mut now, mut let_through) = (at(0), Vec::new());
        for (micros, patience) in asks {
            now += TimeDelta::microseconds(micros);
            log.forget(now, rate);
            let free = log.free_at(now, rate, 0);
            if free <= now + TimeDelta::microseconds(patience) {
                log.note(free, rate);
                let_through.push(free);
            }
        }
        let_through.sort_unstable();
        let messages = usize::try_from(messages).unwrap();
        for (first, over) in let_through.iter().zip(let_through.iter().skip(messages)) {
            prop_assert!(*over - *first >= rate.period(), "{first} {over}");
        }
    }

    /// The last of those who wait is let through when it was told it would be.
    #[test]
    fn what_is_foretold_comes_true(
        messages in 1_u32..8,
        gone in proptest::collection::vec(0_i64..1_000, 0..8),
        waiting in 1_u64..30,
    ) {
        let (mut log, rate) = (Log::default(), rate(messages));
        for millis in gone {
            if log.room(at(millis), rate) > 0 && log.used(at(1_000), rate) < u64::from(messages) {
                log.note(at(millis), rate);
            }
        }
        let foretold: Vec<_> = (0..waiting).map(|ahead| log.free_at(at(1_000), rate, ahead)).collect();
        let mut now = at(1_000);
        for foretold in foretold {
            now = log.free_at(now, rate, 0);
            prop_assert_eq!(now, foretold);
            log.note(now, rate);
        }
    }
}
