//! Where the document contradicts itself or the other sources, and how that was settled. Each of these is met
//! at least once: what is not needed has to go.

use std::collections::BTreeSet;

/// The contradiction or the section that settles it (spec 2.18, or the section), where it shows, what shows,
/// and why it is so.
type Exception = (&'static str, &'static str, &'static str, &'static str);

const EXCEPTIONS: &[Exception] = &[
    ("X1", "answer", "lacks `subaccountId`", "spelled so in examples; the schema and we say `subAccountId`"),
    (
        "X4",
        "request",
        r#""accountId" is a required property"#,
        "no property of the schema, and no example sends it",
    ),
    ("X6", "definition", r#"no step type "If""#, "an example and the guides have it, the schema has not"),
    (
        "X16",
        "definition",
        "/outputs: ",
        "the schema wants the step's results, all examples map names to expressions",
    ),
    ("X23", "get-instance-errors", "an array where the example is an object", "the schema says an array"),
    ("X24", "get-usage", "an array where the example is an object", "the schema says an array"),
    (
        "2.9",
        "get-instance-status",
        "more than one schema",
        "`logs` is optional in the second of the two schemas",
    ),
    (
        "5.1",
        "answer",
        r#"/completedAt: null is not of type "string""#,
        "the schema's text and default say null",
    ),
    (
        "2.14",
        "get-functions",
        r#"is not of type "object""#,
        "the schema says objects, the example has a string and null",
    ),
];

#[derive(Default)]
pub struct Findings {
    unexplained: BTreeSet<String>,
    met: BTreeSet<usize>,
}

impl Findings {
    pub fn add(&mut self, place: &str, difference: String) {
        let explains = |(_, at, shows, _): &Exception| place.contains(at) && difference.contains(shows);
        match EXCEPTIONS.iter().position(explains) {
            Some(exception) => {
                self.met.insert(exception);
            }
            None => {
                self.unexplained.insert(format!("{place} {difference}"));
            }
        }
    }

    pub fn settle(self) {
        assert!(self.unexplained.is_empty(), "{:#?}", self.unexplained);
        let not_met = (0..EXCEPTIONS.len()).filter(|exception| !self.met.contains(exception));
        let not_met: Vec<&Exception> = not_met.map(|exception| &EXCEPTIONS[exception]).collect();
        assert!(not_met.is_empty(), "nothing needs these exceptions: {not_met:#?}");
    }
}
