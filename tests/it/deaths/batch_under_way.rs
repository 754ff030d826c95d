//! Workers and PostgreSQL are killed while a batch is under way: every item is decided, and once. A hundred thousand
//! of them with `FAILURE=long`.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use trunkline_store::cluster::{Cluster, ClusterOptions};

use super::processes::WorkerProcess;
use crate::operations::batches::{
    batch, carried_out, counts, each_was_run_again_once, failed_instances, gated, show,
};
use crate::support::extent::either;
use crate::support::{TestApp, until};

/// Who dies when so many are decided.
#[derive(Clone, Copy, PartialEq)]
enum Dies {
    Worker,
    Postgres,
    Both,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_decided_once_whoever_dies() {
    let folder = std::env::temp_dir().join(format!("trunkline-batch-{}", std::process::id()));
    let cluster = Cluster::start(ClusterOptions::for_tests(folder.clone())).await.unwrap();
    let app = TestApp::on(cluster.url("postgres")).await;
    let definition = app.define(gated()).await;
    let count = either(4000, 100_000);
    failed_instances(&app, &definition, count).await;
    let filter = json!({"definitionId": definition, "step": "end"});
    let made = json!({"action": "rerun", "filter": filter, "rate": 1000, "concurrency": 8});
    let made = batch(&app, made).await;

    let mut workers =
        vec![WorkerProcess::start(app.database_url()), WorkerProcess::start(app.database_url())];
    let deaths = [
        (10, Dies::Postgres),
        (25, Dies::Worker),
        (40, Dies::Both),
        (55, Dies::Postgres),
        (70, Dies::Worker),
    ];
    for (percent, dies) in deaths {
        let decided = i64::from(count / 100 * percent);
        until("the batch is in the middle", || async { counts(&show(&app, &made).await)[1] > decided }).await;
        if dies != Dies::Worker {
            let restarts = cluster.restarts();
            let postmaster = i32::try_from(cluster.postmaster_pid()).unwrap();
            kill_process(Pid::from_raw(postmaster).unwrap(), Signal::KILL).unwrap();
            until("PostgreSQL is back", || async {
                cluster.restarts() > restarts && app.store().check_ready().await.is_ok()
            })
            .await;
        }
        if dies != Dies::Postgres {
            // Whichever of them carries it out.
            for worker in &mut workers {
                worker.kill();
                *worker = WorkerProcess::start(app.database_url());
            }
        }
        assert!(counts(&show(&app, &made).await)[0] > 0, "it was not in the middle");
    }
    let done = carried_out(&app, &made).await;
    assert_eq!(counts(&done), [0, count.into(), 0, 0]);
    each_was_run_again_once(&app, count.into()).await;
    for worker in &mut workers {
        assert!(worker.exited().is_none(), "a worker exited: {}", worker.log());
    }
    drop(workers);
    drop(app);
    cluster.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
