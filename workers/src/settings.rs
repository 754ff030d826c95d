//! How a worker is set up.

use std::time::Duration;

use trunkline_store::pools::{Accounts, Steps};

#[derive(Debug, Clone)]
pub struct Settings {
    /// Shown to people; need not be unique.
    pub name: String,
    /// Paths held at the same time.
    pub slots: usize,
    /// Of them, those that one account may hold; `None`: three quarters, or all while there is no other account.
    pub slots_per_account: Option<usize>,
    /// Whose jobs it takes.
    pub accounts: Accounts,
    /// Steps of which types.
    pub steps: Steps,
    /// How long the others believe in this worker without a sign of life.
    pub lease: Duration,
    /// An idle worker looks this often; hints make it look at once.
    pub poll_interval: Duration,
    /// How long running steps may take to finish after a shutdown began.
    pub grace: Duration,
    /// How long ended instances are kept.
    pub retention: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            slots: 1024,
            slots_per_account: None,
            accounts: Accounts::All,
            steps: Steps::All,
            lease: Duration::from_secs(15),
            poll_interval: Duration::from_millis(500),
            grace: Duration::from_secs(20),
            retention: Duration::from_secs(90 * 86_400),
        }
    }
}
