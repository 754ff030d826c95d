//! Running a workflow of the Workflows API again: the message that the new one sends first. Those behind it follow as
//! before, if it does not get through; those before it are not sent.

use super::{Logged, Refusal, StartAt};
use crate::status::StepStatus;

/// The step that sends: what its log calls it.
const SENDS: &str = "message";

/// How far a workflow came before it ended.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    /// It has so many.
    pub messages: usize,
    /// The position of the one that would have been sent next.
    pub next: usize,
    /// It was told as an error, or will be.
    pub has_failed: bool,
    /// A message has reached what it had to.
    pub is_met: bool,
    pub log: &'a [Logged],
}

/// Its position, from 0.
pub fn first_message(course: &Course<'_>, from: &StartAt) -> Result<usize, Refusal> {
    let messages = course.messages;
    match from {
        StartAt::Start => Ok(0),
        StartAt::Message(number) if (1..=messages).contains(number) => Ok(number - 1),
        StartAt::Message(number) => Err(Refusal::NoSuchMessage { number: *number, messages }),
        StartAt::Step(_) => Err(Refusal::MessageNotStep),
        StartAt::Failed if course.has_failed && !course.is_met => {
            let failed = course.log.iter().rev().find(|entry| entry.status == StepStatus::Failed);
            // What was sent, or refused, moved on to the next; what failed in between did not.
            let is_sending = failed.is_some_and(|entry| entry.name == SENDS);
            let at = if is_sending { course.next } else { course.next.saturating_sub(1) };
            Ok(at.min(messages.saturating_sub(1)))
        }
        StartAt::Failed => Err(Refusal::NoFailedMessage),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn entry(name: &str, status: StepStatus) -> Logged {
        let completed_at = DateTime::<Utc>::UNIX_EPOCH;
        Logged { n: 1, name: name.to_owned(), status, is_started: true, completed_at, error: None }
    }

    #[test]
    fn a_workflow_begins_at_the_message_that_is_asked_for_or_at_the_last_that_was_begun() {
        let (sent, reported) =
            (entry("message", StepStatus::Complete), entry("report", StepStatus::Complete));
        let log = [sent.clone(), reported];
        let course = Course { messages: 3, next: 3, has_failed: true, is_met: false, log: &log };
        for (from, expected) in [
            (StartAt::Start, Ok(0)),
            (StartAt::Failed, Ok(2)),
            (StartAt::Message(2), Ok(1)),
            (StartAt::Message(4), Err(Refusal::NoSuchMessage { number: 4, messages: 3 })),
            (StartAt::Step("message".to_owned()), Err(Refusal::MessageNotStep)),
        ] {
            assert_eq!(first_message(&course, &from), expected, "{from:?}");
        }
        let unfailed = Course { has_failed: false, ..course };
        assert_eq!(first_message(&unfailed, &StartAt::Failed), Err(Refusal::NoFailedMessage));
    }

    #[test]
    fn a_fault_is_of_the_message_that_was_being_sent_or_waited_for() {
        let sent = entry("message", StepStatus::Complete);
        for (failed, next, expected) in
            [("message", 1, 1), ("status", 1, 0), ("message", 0, 0), ("report", 2, 1)]
        {
            let log = [sent.clone(), entry(failed, StepStatus::Failed)];
            let course = Course { messages: 2, next, has_failed: true, is_met: false, log: &log };
            assert_eq!(first_message(&course, &StartAt::Failed), Ok(expected), "{failed} {next}");
        }
    }

    #[test]
    fn a_message_that_got_through_is_not_what_failed() {
        let log = [entry("status", StepStatus::Complete), entry("report", StepStatus::Failed)];
        let course = Course { messages: 2, next: 1, has_failed: true, is_met: true, log: &log };
        assert_eq!(first_message(&course, &StartAt::Failed), Err(Refusal::NoFailedMessage));
        assert_eq!(first_message(&course, &StartAt::Message(2)), Ok(1));
    }
}
