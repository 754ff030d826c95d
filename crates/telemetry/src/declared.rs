//! Every metric there is. `docs/metrics.md` describes the same ones, the dashboard and the alert rules in
//! `deploy/` use them; a test compares the three.
//!
//! A label takes a value from a list that the program knows: step types, route templates, statuses. Nothing that
//! a caller or a definition's author wrote, and no id of an account, ever becomes one.

/// One metric, as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With these upper bounds.
    Histogram(&'static [f64]),
}

/// Of what should take milliseconds.
const SECONDS: Kind = Kind::Histogram(&[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
]);
/// Of what may wait for people: a tenth of a second to a week.
const LONG: Kind = Kind::Histogram(&[
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0,
]);
/// Of a worker's batches, which have 256 jobs at most.
const BATCH: Kind = Kind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);

const COUNTER: Kind = Kind::Counter;
const GAUGE: Kind = Kind::Gauge;

macro_rules! declare {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help };
        )*

        /// All of them.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

declare! {
    BUILD_INFO: GAUGE "trunkline_build_info" ["version"] "1, labelled with the version of the program.";

    // Of each worker process.
    CLAIMS: COUNTER "trunkline_claims_total" ["result"] "Claims that this process made: `jobs`, `empty`, `failed`.";
    CLAIM_JOBS: BATCH "trunkline_claim_batch_jobs" [] "Jobs in a claim that found any; the sum is the jobs claimed.";
    CLAIM_SECONDS: SECONDS "trunkline_claim_duration_seconds" [] "Time that a claim took.";
    JOB_WAIT: SECONDS "trunkline_job_wait_seconds" [] "Time from when a claimed job was due until a worker had it. Jobs that stay with their worker do not wait.";
    STEPS: COUNTER "trunkline_steps_total" ["step_type", "outcome"] "Executions of steps: `completed`, `entered`, `waiting`, `retried`, `postponed`, `failed`, `abandoned`.";
    STEP_SECONDS: SECONDS "trunkline_step_duration_seconds" ["step_type"] "Time that the execution of a step took, without the wait that it may begin.";
    COMPLETION_JOBS: BATCH "trunkline_completion_batch_jobs" [] "Outcomes written in one transaction.";
    COMPLETION_SECONDS: SECONDS "trunkline_completion_duration_seconds" [] "Time that writing them took.";
    COMPLETIONS_REFUSED: COUNTER "trunkline_completions_refused_total" [] "Outcomes that came too late: the job had been taken away, or its instance ended.";
    INSTANCE_SECONDS: LONG "trunkline_instance_duration_seconds" ["status"] "Time from the start of an instance to its end by a step; the count is the instances that ended so.";
    LEASES_LOST: COUNTER "trunkline_leases_lost_total" [] "Times that this worker learned that it had been declared lost.";
    JOBS_RESCUED: COUNTER "trunkline_jobs_rescued_total" [] "Jobs that this worker took from lost ones and gave back to the queue.";
    CONNECTOR_ANSWERS: COUNTER "trunkline_connector_answers_total" ["provider", "status"] "Requests to providers and of HTTP steps: `1xx` to `5xx`, `refused`, `not_sent`, `unknown`, `too_large`.";
    CONNECTOR_SECONDS: SECONDS "trunkline_connector_duration_seconds" ["provider"] "Time until such a request had its answer.";
    CALLBACKS: COUNTER "trunkline_callbacks_total" ["outcome"] "Attempts to tell customers: `delivered`, `again`, `given_up`.";

    // Of each server process.
    API_REQUESTS: COUNTER "trunkline_api_requests_total" ["route", "method", "status"] "Requests by route template; `unmatched` where there is no such route.";
    API_SECONDS: SECONDS "trunkline_api_request_duration_seconds" ["route", "method"] "Time until the answer began.";
    WEBHOOKS: COUNTER "trunkline_webhooks_total" ["kind", "answer"] "Webhooks of providers: `accepted` (2xx), `refused` (4xx), `failed` (5xx).";

    // Of each process.
    DRAINED: COUNTER "trunkline_drained_triggers_total" ["trigger"] "Times that something would have started a definition that is being drained: an event, or its schedule.";
    POOL_LIMIT: GAUGE "trunkline_database_pool_limit" [] "Connections that this process's pool may have.";
    POOL_CONNECTIONS: GAUGE "trunkline_database_pool_connections" ["state"] "Connections that it has: `idle`, `in_use`.";
    POOL_WAIT: GAUGE "trunkline_database_pool_wait_seconds" [] "How long the last look at the database waited for a connection of the pool.";
    DATABASE_UP: GAUGE "trunkline_database_up" [] "Whether the last look at the database was answered.";

    // Read from the database by the server: of the installation, the same in each server.
    QUEUE_JOBS: GAUGE "trunkline_queue_jobs" ["state"] "Jobs: `ready`, `leased` to a worker, `held` in suspended instances, `behind` another step of their instance.";
    QUEUE_OLDEST: GAUGE "trunkline_queue_oldest_ready_seconds" [] "Age of the oldest ready job; 0 without one.";
    DUE_WAITS: GAUGE "trunkline_due_waits" [] "Timers and deadlines that are due and no jobs yet, counted up to 100,000.";
    DUE_WAITS_OLDEST: GAUGE "trunkline_due_waits_oldest_seconds" [] "How long the first of them has been due; 0 without one.";
    WORKERS: GAUGE "trunkline_workers" ["state"] "Workers: `live`, `draining`, `silent` (their lease has passed).";
    FLEET_SLOTS: GAUGE "trunkline_fleet_slots" [] "Slots of the live workers that are not draining.";
    FLEET_BUSY_SLOTS: GAUGE "trunkline_fleet_busy_slots" [] "Those of them in use.";
    OLDEST_TRANSACTION: GAUGE "trunkline_oldest_transaction_seconds" [] "Age of the oldest transaction of the database that keeps dead rows from being removed.";
    TABLE_ROWS: GAUGE "trunkline_table_rows" ["table", "state"] "Rows of the tables that change all day, as PostgreSQL estimates them: `live`, `dead`.";
    TABLE_BYTES: GAUGE "trunkline_table_bytes" ["table"] "Size of these tables with their indexes.";
    CALLBACKS_PENDING: GAUGE "trunkline_callbacks_pending" [] "Calls to customers that are still to be made, counted up to 100,000.";
    CALLBACKS_OLDEST: GAUGE "trunkline_callbacks_oldest_seconds" [] "Age of the oldest of them; 0 without one.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{ALL, Kind};

    #[test]
    fn names_keep_the_conventions() {
        let mut names = HashSet::new();
        for metric in ALL {
            let name = metric.name;
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("trunkline_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted() && !bounds.is_empty(), "{name}");
            }
        }
    }
}
