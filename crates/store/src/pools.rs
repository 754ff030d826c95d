//! Pools: which jobs a worker takes.

use std::sync::Arc;

use trunkline_workflow::AccountId;
use trunkline_workflow::step::StepType;

/// The accounts whose jobs a worker takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accounts {
    #[default]
    All,
    Only(Vec<AccountId>),
    Except(Vec<AccountId>),
}

impl Accounts {
    /// As the row of the worker has them: those that it serves, and those that it does not.
    pub(crate) fn columns(&self) -> (Option<Vec<&str>>, Option<Vec<&str>>) {
        match self {
            Self::All => (None, None),
            Self::Only(accounts) => (Some(accounts.iter().map(AccountId::as_str).collect()), None),
            Self::Except(accounts) => (None, Some(accounts.iter().map(AccountId::as_str).collect())),
        }
    }
}

/// The types of the steps that a worker executes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Steps {
    #[default]
    All,
    Only(Arc<[StepType]>),
    Except(Arc<[StepType]>),
}

impl Steps {
    /// What is written of a job whose step cannot be told: its definition is gone, or sealed with another key. Every
    /// worker takes it.
    pub const UNKNOWN: &str = "?";

    pub fn takes(&self, step_type: StepType) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.contains(&step_type),
            Self::Except(types) => !types.contains(&step_type),
        }
    }

    /// As jobs have them.
    pub fn names(&self) -> Vec<&'static str> {
        let all = StepType::ALL.into_iter().chain(StepType::INTERNAL);
        let taken = all.filter(|step_type| self.takes(*step_type)).map(StepType::name);
        taken.chain([Self::UNKNOWN]).collect()
    }

    /// As [`Accounts::columns`].
    pub(crate) fn columns(&self) -> (Option<Vec<&str>>, Option<Vec<&str>>) {
        let names = |types: &[StepType]| Some(types.iter().map(|step_type| step_type.name()).collect());
        match self {
            Self::All => (None, None),
            Self::Only(types) => (names(types), None),
            Self::Except(types) => (None, names(types)),
        }
    }
}
