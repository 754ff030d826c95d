//! `make bench`: the engine's steps per second on a private PostgreSQL with fsync on.

mod database;
mod definition;
mod engine;
mod summary;

const EVALUATOR: &str = "evaluator";

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some(EVALUATOR) {
        trunkline_expressions::run_child();
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let folder = std::env::temp_dir().join(format!("trunkline-bench-{}", std::process::id()));
        let cluster = database::start(&folder).await?;
        let figures = summary::rounds(vec![engine::measure(&cluster, 1).await?]);
        if let Some(rounds) = figures {
            println!("a engine {:.0} steps/s {:?}", rounds.middle, rounds.range);
        }
        cluster.stop().await;
        let _ = trunkline_store::cluster::remove(&folder);
        Ok(())
    })
}
