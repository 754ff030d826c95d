//! What became of one peer, and of Trunkline.

use serde_json::{Value, json};

use super::known::Kind;
use super::program::Part;

#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub kind: Kind,
    pub version: String,
    /// In words, for each kind of part.
    pub settings: Vec<(Part, String)>,
    /// Steps, or jobs, per second: one for each round.
    pub rounds: Vec<f64>,
    pub one_step: Option<Percentiles>,
    pub five_steps: Option<Percentiles>,
    /// On the disk for each parked instance, beyond its context.
    pub bytes: Option<f64>,
    pub failures: Vec<(Part, String)>,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

impl Row {
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            version: String::new(),
            settings: Vec::new(),
            rounds: Vec::new(),
            one_step: None,
            five_steps: None,
            bytes: None,
            failures: Vec::new(),
        }
    }

    /// The middle round.
    pub fn per_second(&self) -> Option<f64> {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied()
    }

    pub fn failed(&self, part: Part) -> bool {
        self.failures.iter().any(|(failed, _)| *failed == part)
    }

    /// What a peer's program printed, or why it did not.
    pub fn add(&mut self, part: Part, printed: anyhow::Result<Value>) {
        let taken = printed
            .map_err(|error| format!("{error:#}"))
            .and_then(|printed| self.take(part, &printed).ok_or_else(|| format!("it printed `{printed}`")));
        if let Err(reason) = taken {
            eprintln!("{}, {}: FAILED: {reason}", self.name, part.name());
            self.failures.push((part, reason));
        }
    }

    fn take(&mut self, part: Part, printed: &Value) -> Option<()> {
        let number = |name: &str| printed[name].as_f64();
        let percentiles = || Some(Percentiles { p50: number("p50")?, p99: number("p99")? });
        printed["version"].as_str()?.clone_into(&mut self.version);
        match part {
            Part::Steps => self.rounds.push(number("perSecond")?),
            Part::OneStep => self.one_step = Some(percentiles()?),
            Part::FiveSteps => self.five_steps = Some(percentiles()?),
            Part::Parked => self.bytes = Some(number("bytes")?),
        }
        self.explain(part, printed["settings"].as_str()?);
        Some(())
    }

    /// The same words count once.
    pub fn explain(&mut self, part: Part, settings: &str) {
        if !self.settings.iter().any(|(_, told)| told == settings) {
            self.settings.push((part, settings.to_owned()));
        }
    }

    pub fn to_json(&self) -> Value {
        let percentiles = |of: Option<Percentiles>| of.map(|of| json!({"p50": of.p50, "p99": of.p99}));
        let words = |of: &[(Part, String)]| {
            let words = of.iter().map(|(part, words)| (part.name().to_owned(), json!(words)));
            Value::Object(words.collect())
        };
        json!({
            "name": self.name, "version": self.version, "queue": self.kind == Kind::Queue,
            "perSecond": self.per_second(), "rounds": self.rounds,
            "oneStepMilliseconds": percentiles(self.one_step),
            "fiveStepsMilliseconds": percentiles(self.five_steps),
            "bytesPerParkedInstance": self.bytes,
            "settings": words(&self.settings), "failures": words(&self.failures),
        })
    }
}
