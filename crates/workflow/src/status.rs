//! Statuses as the wire spells them (spec 5.2, 5.4).

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum InstanceStatus {
    Runnable,
    Suspended,
    Complete,
    Terminated,
}

impl InstanceStatus {
    pub const ALL: [Self; 4] = [Self::Runnable, Self::Suspended, Self::Complete, Self::Terminated];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runnable => "Runnable",
            Self::Suspended => "Suspended",
            Self::Complete => "Complete",
            Self::Terminated => "Terminated",
        }
    }

    /// Any letter case (spec 2.7).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text))
    }

    pub fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Terminated)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StepStatus {
    Pending,
    Running,
    Complete,
    Sleeping,
    WaitingForEvent,
    Failed,
    Cancelled,
}

impl StepStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Sleeping => "Sleeping",
            Self::WaitingForEvent => "WaitingForEvent",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}
