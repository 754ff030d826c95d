//! How far a batch is, in words and as a bar.

use std::fmt::Write;

use serde_json::Value;

/// Characters of the bar itself.
const WIDTH: usize = 24;

/// `3 instances`, with thousands apart.
pub(super) fn count(number: &Value, of: &str) -> String {
    let number = number.as_u64().unwrap_or(0);
    format!("{} {of}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `running: 4,500 of 10,000 decided (4,487 done, 10 skipped, 3 failed), 98 a second, 56 s left`
pub(super) fn sentence(batch: &Value) -> String {
    let counts = Counts::of(batch);
    let mut text = format!(
        "{}: {} of {} decided ({} done, {} skipped, {} failed)",
        batch["state"].as_str().unwrap_or_default(),
        grouped(counts.decided()),
        grouped(counts.total),
        grouped(counts.done),
        grouped(counts.skipped),
        grouped(counts.failed),
    );
    if let Some(left) = counts.left {
        write!(text, ", {:.0} a second, {} left", counts.rate, span(left)).expect("a string takes all");
    }
    text
}

/// One line of at most so many characters.
pub(super) fn bar(batch: &Value, columns: usize) -> String {
    let counts = Counts::of(batch);
    let (decided, total) = (counts.decided(), counts.total.max(1));
    let share = |of: u64| usize::try_from(decided * of / total).unwrap_or(usize::MAX);
    let full = share(WIDTH as u64).min(WIDTH);
    let mut text = format!(
        "[{}{}] {:3} %  {} of {}",
        "#".repeat(full),
        "-".repeat(WIDTH - full),
        share(100),
        grouped(decided),
        grouped(counts.total)
    );
    match (batch["state"].as_str(), counts.left) {
        (Some("running"), Some(left)) => write!(text, "  {:.0}/s  {} left", counts.rate, span(left)),
        (state, _) => write!(text, "  {}", state.unwrap_or_default()),
    }
    .expect("a string takes all");
    for (number, word) in [(counts.failed, "failed"), (counts.skipped, "skipped")] {
        if number > 0 {
            write!(text, "  {} {word}", grouped(number)).expect("a string takes all");
        }
    }
    text.chars().take(columns).collect()
}

struct Counts {
    total: u64,
    done: u64,
    skipped: u64,
    failed: u64,
    /// A second.
    rate: f64,
    /// Seconds.
    left: Option<u64>,
}

impl Counts {
    fn of(batch: &Value) -> Self {
        let progress = &batch["progress"];
        let number = |name: &str| progress[name].as_u64().unwrap_or(0);
        Self {
            total: number("total"),
            done: number("done"),
            skipped: number("skipped"),
            failed: number("failed"),
            rate: progress["rate"].as_f64().unwrap_or(0.0),
            left: progress["timeLeft"].as_u64(),
        }
    }

    fn decided(&self) -> u64 {
        self.done + self.skipped + self.failed
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch() -> Value {
        json!({"state": "running", "progress": {"total": 10_000, "pending": 5_500, "done": 4_487, "skipped": 10,
            "failed": 3, "rate": 98.4, "timeLeft": 56}})
    }

    #[test]
    fn a_bar_has_the_share_the_rate_and_the_time_that_is_left() {
        let expected =
            "[##########--------------]  45 %  4,500 of 10,000  98/s  56 s left  3 failed  10 skipped";
        assert_eq!(bar(&batch(), 200), expected);
        assert_eq!(bar(&batch(), 33), expected[..33]);
        let mut ended = batch();
        ended["state"] = json!("aborted");
        ended["progress"]["timeLeft"] = json!(null);
        assert!(bar(&ended, 200).contains("  aborted  3 failed"));
    }

    #[test]
    fn the_same_in_words() {
        let expected =
            "running: 4,500 of 10,000 decided (4,487 done, 10 skipped, 3 failed), 98 a second, 56 s left";
        assert_eq!(sentence(&batch()), expected);
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [(59, "59 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min")] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(
            (count(&json!(1), "instance"), count(&json!(0), "instance")),
            ("1 instance".into(), "0 instances".into())
        );
    }
}
