//! Whether workers still have what they are about to act on, asked in groups.

use std::time::Duration;

use trunkline_workflow::InstanceId;
use trunkline_workflow::path::Path;

use crate::connect::BEGIN_HOT;
use crate::grouped::Grouped;
use crate::workers::Incarnation;
use crate::{PgPool, Store, StoreError};

/// For a round trip and a few rows.
const LIMIT: Duration = Duration::from_secs(5);

/// $1 instances, $2 paths, $3 numbers of jobs, $4 workers: a row for each, in their order. Each is looked up by itself,
/// which a test pins.
pub const STILL_LEASED: &str = "
select coalesce(job.n = asked.n and job.worker = asked.worker, false)
from unnest($1::bytea[], $2::int[], $3::int[], $4::bigint[]) with ordinality
    as asked (instance_id, path, n, worker, place)
left join lateral (
    select j.n, j.worker
    from jobs j
    where j.instance_id = asked.instance_id and j.path = asked.path
    limit 1
) job on true
order by place";

#[derive(Debug)]
pub(crate) struct Lease {
    instance: InstanceId,
    path: i32,
    n: i32,
    worker: Incarnation,
}

pub(crate) type Leases = Grouped<Lease, bool>;

pub(crate) fn leases(pool: PgPool) -> Leases {
    Grouped::new(LIMIT, |_| 0, move |asked| find(pool.clone(), asked))
}

impl Store {
    /// Whether a worker still has the job at this place of a path: as of a moment after the call.
    pub async fn is_leased(
        &self,
        instance: InstanceId,
        path: &Path,
        worker: Incarnation,
    ) -> Result<bool, StoreError> {
        self.leases.ask(Lease { instance, path: path.path, n: path.n, worker }).await
    }
}

async fn find(pool: PgPool, asked: Vec<Lease>) -> Result<Vec<bool>, StoreError> {
    let mut transaction = pool.begin_with(BEGIN_HOT).await?;
    let found = sqlx::query_scalar(STILL_LEASED)
        .bind(asked.iter().map(|lease| &lease.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(asked.iter().map(|lease| lease.path).collect::<Vec<_>>())
        .bind(asked.iter().map(|lease| lease.n).collect::<Vec<_>>())
        .bind(asked.iter().map(|lease| lease.worker.0).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(found)
}
