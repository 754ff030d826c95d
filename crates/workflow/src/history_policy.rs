//! What an account wants to be kept of what its steps sent and got.

use serde::{Deserialize, Serialize};

/// Names in each list, and characters of a name.
const MOST_NAMES: usize = 100;
const LONGEST_NAME: usize = 100;

/// The default is what the law of most places asks of who handles messages for others: what people wrote to each
/// other, and who they are, is not kept where nobody needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPolicy {
    pub bodies: Bodies,
    /// Headers that are never kept, besides those that no policy keeps.
    pub headers: Vec<String>,
    /// Members of JSON, likewise.
    pub members: Vec<String>,
}

/// Of texts, numbers and addresses in bodies, inputs and outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bodies {
    /// As they are.
    Keep,
    /// Their length.
    #[default]
    Redact,
    /// A keyed hash, so that it shows where the same one comes again.
    Hash,
}

impl Bodies {
    pub const ALL: [Self; 3] = [Self::Keep, Self::Redact, Self::Hash];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Redact => "redact",
            Self::Hash => "hash",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bodies| bodies.as_str() == text)
    }
}

/// Whether it can be a list of names: not too many, each short, visible and there.
pub fn are_names(names: &[String]) -> bool {
    let is_name = |name: &String| {
        !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
    };
    names.len() <= MOST_NAMES && names.iter().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_short_and_names_something() {
        let names = |count: usize, name: &str| vec![name.to_owned(); count];
        assert!(are_names(&[]) && are_names(&names(100, "X-Größe")));
        for wrong in [names(101, "a"), names(1, " "), names(1, "a\0"), names(1, &"x".repeat(101))] {
            assert!(!are_names(&wrong));
        }
    }

    #[test]
    fn bodies_are_redacted_unless_somebody_says_otherwise() {
        assert_eq!(HistoryPolicy::default().bodies, Bodies::Redact);
        for bodies in Bodies::ALL {
            assert_eq!(Bodies::parse(bodies.as_str()), Some(bodies));
        }
        assert_eq!(Bodies::parse("Keep"), None);
    }
}
