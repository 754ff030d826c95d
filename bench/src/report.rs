//! The figures, what was asked of them, and how they are shown.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy)]
pub enum Unit {
    PerSecond,
    Milliseconds,
    Times,
    Bytes,
    /// Of one core.
    Percent,
}

#[derive(Debug, Clone, Copy)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

pub struct Figure {
    /// As in the README.
    pub id: &'static str,
    pub what: String,
    pub value: f64,
    pub unit: Unit,
    pub target: Option<Target>,
    pub note: String,
}

impl Figure {
    pub fn new(id: &'static str, what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { id, what: what.into(), value, unit, target: None, note: String::new() }
    }

    #[must_use]
    pub fn at_least(self, target: f64) -> Self {
        Self { target: Some(Target::AtLeast(target)), ..self }
    }

    #[must_use]
    pub fn at_most(self, target: f64) -> Self {
        Self { target: Some(Target::AtMost(target)), ..self }
    }

    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtLeast(least) => self.value >= least,
            Target::AtMost(most) => self.value <= most,
        })
    }

    /// A row of the table: everything in its column.
    pub fn row(&self) -> [String; 6] {
        let verdict = self.is_met().map_or("", |met| if met { "met" } else { "MISSED" });
        let target = self.target.map_or_else(String::new, |target| match target {
            Target::AtLeast(least) => format!("≥ {}", self.unit.show_target(least)),
            Target::AtMost(most) => format!("≤ {}", self.unit.show_target(most)),
        });
        [
            self.id.to_owned(),
            self.what.clone(),
            self.unit.show(self.value),
            target,
            verdict.to_owned(),
            self.note.clone(),
        ]
    }

    pub fn to_json(&self) -> Value {
        let (at_least, at_most) = match self.target {
            Some(Target::AtLeast(least)) => (Some(least), None),
            Some(Target::AtMost(most)) => (None, Some(most)),
            None => (None, None),
        };
        json!({
            "id": self.id, "what": self.what, "value": self.value, "unit": self.unit.name(),
            "atLeast": at_least, "atMost": at_most, "met": self.is_met(), "note": self.note,
        })
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Times => format!("{value:.2} ×"),
            Self::Bytes => format!("{} B", grouped(value)),
            Self::Percent => format!("{value:.1} %"),
        }
    }

    fn show_target(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Milliseconds => format!("{value} ms"),
            Self::Times => format!("{value} ×"),
            Self::Bytes => format!("{value} B"),
            Self::Percent => format!("{value} %"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "1/s",
            Self::Milliseconds => "ms",
            Self::Times => "ratio",
            Self::Bytes => "bytes",
            Self::Percent => "%",
        }
    }
}

/// `61,893`
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The figures below each other; numbers end, and words begin, at the same place.
pub fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 6]> = figures.iter().map(Figure::row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (id, what, value, target, verdict) = (width(0), width(1), width(2), width(3), width(4));
    let line = |row: &[String; 6]| {
        let [in_id, in_what, in_value, in_target, in_verdict, note] = row;
        let text = format!(
            "{in_id:id$}  {in_what:what$}  {in_value:>value$}  {in_target:>target$}  {in_verdict:verdict$}  {note}"
        );
        text.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_shown_with_its_target_and_whether_it_is_met() {
        let figures = [
            Figure::new("a", "steps", 61_893.4, Unit::PerSecond),
            Figure::new("a/b", "ratio", 0.25, Unit::Times).at_least(0.3),
            Figure::new("c", "p50", 5.04, Unit::Milliseconds).at_most(6.0).note("600 starts"),
        ];
        let expected = "a    steps  61,893/s
a/b  ratio    0.25 ×  ≥ 0.3 ×  MISSED
c    p50      5.0 ms   ≤ 6 ms  met     600 starts
";
        assert_eq!(table(&figures), expected);
    }

    #[test]
    fn digits_stand_in_groups_of_three() {
        for (value, text) in [(7.0, "7"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(grouped(value), text);
        }
    }
}
