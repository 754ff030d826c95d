//! What was found out about one thing.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// It was not looked at.
    Skipped,
    Warning,
    Problem,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) state: State,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) todo: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Ok, found: found.into(), todo: None }
    }

    pub(super) fn skipped(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Skipped, found: found.into(), todo: None }
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, state: State::Warning, found: found.into(), todo: Some(todo.into()) }
    }

    pub(super) fn problem(check: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, state: State::Problem, found: found.into(), todo: Some(todo.into()) }
    }
}

/// Clocks that are apart.
pub(super) fn clock(check: &'static str, whose: &str, ahead_seconds: f64) -> Finding {
    let apart = ahead_seconds.abs();
    let direction = if ahead_seconds > 0.0 { "ahead of" } else { "behind" };
    let found = format!("{whose} is {apart:.1} s {direction} this machine's");
    let todo = "have both machines keep their time by NTP";
    match apart {
        ..2.0 => Finding::ok(check, format!("{whose} and this machine's are {apart:.1} s apart")),
        2.0..30.0 => Finding::warning(check, found, todo),
        _ => {
            Finding::problem(check, found, format!("{todo}: tokens that are signed with a time are refused"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_a_little_apart() {
        for (ahead, state) in
            [(0.4, State::Ok), (-1.9, State::Ok), (-3.0, State::Warning), (45.0, State::Problem)]
        {
            assert_eq!(clock("clock", "the server's clock", ahead).state, state, "{ahead}");
        }
        let behind = clock("clock", "the server's clock", -3.0).found;
        assert_eq!(behind, "the server's clock is 3.0 s behind this machine's");
    }
}
