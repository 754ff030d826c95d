//! What people may do to a running instance (spec 5.5).

use crate::status::InstanceStatus;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Suspend,
    Resume,
    Terminate,
}

impl Command {
    pub const ALL: [Self; 3] = [Self::Suspend, Self::Resume, Self::Terminate];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Terminate => "terminate",
        }
    }

    /// Any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str().eq_ignore_ascii_case(text))
    }

    /// As in `cannot be suspended`.
    pub fn participle(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
            Self::Terminate => "terminated",
        }
    }
}

/// The status that follows, or `None` where the command is refused.
pub fn control(status: InstanceStatus, command: Command) -> Option<InstanceStatus> {
    use InstanceStatus::{Runnable, Suspended, Terminated};
    match (status, command) {
        (Runnable, Command::Suspend) => Some(Suspended),
        (Suspended, Command::Resume) => Some(Runnable),
        (Runnable | Suspended, Command::Terminate) => Some(Terminated),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InstanceStatus::{Complete, Runnable, Suspended, Terminated};

    #[test]
    fn c_117_to_c_122_the_table_of_commands() {
        for (status, suspend, resume, terminate) in [
            (Runnable, Some(Suspended), None, Some(Terminated)),
            (Suspended, None, Some(Runnable), Some(Terminated)),
            (Complete, None, None, None),
            (Terminated, None, None, None),
        ] {
            assert_eq!(control(status, Command::Suspend), suspend);
            assert_eq!(control(status, Command::Resume), resume);
            assert_eq!(control(status, Command::Terminate), terminate);
        }
    }
}
