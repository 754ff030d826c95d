//! As [`crate::cut_off`], with nothing of ours on the way: the worker lives in a network of its own, speaks TCP with
//! PostgreSQL, and from one moment on packets are lost, in one direction or both.

use trunkline_store::cluster::{Cluster, ClusterOptions};

use crate::cut_off::Story;
use crate::network::{Link, Network, RANGE};
use crate::processes::WorkerProcess;
use crate::proxy::Flow;
use crate::support::extent::{either, skipped};
use crate::support::{Endpoint, TestApp};
use crate::verify::verify;

const FLOWS: [Flow; 3] = [Flow::NEITHER, Flow::ANSWERS_LOST, Flow::REQUESTS_LOST];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_network_falls_silent_begins_nothing_after_its_lease() {
    // Two at once, of which each has the machine half of the time.
    for round in (0..either(2, 100)).step_by(2) {
        let rounds = [round, round + 1].map(|round| falls_silent(FLOWS[round % FLOWS.len()]));
        let made = futures::future::join_all(rounds).await;
        if let Some(Err(why)) = made.into_iter().find(Result::is_err) {
            return skipped(&why);
        }
    }
}

/// The error says why there is no such network here.
async fn falls_silent(flow: Flow) -> Result<(), String> {
    let network = Network::start().await?;
    let (to_database, to_endpoint) = (network.link()?, network.link()?);
    let house = House::start(&to_database).await;
    let app = TestApp::on(house.cluster.url("postgres")).await;
    let endpoint = Endpoint::start_at(to_endpoint.address).await;
    let allowed = [("TRUNKLINE_ALLOW_ADDRESSES", RANGE)];
    let url = format!("postgres://postgres@{}:5432/postgres?sslmode=disable", to_database.address);
    let cut_off = WorkerProcess::start_in_network(&network.path(), &url, &allowed);
    let story = Story { app: &app, endpoint: &endpoint, cut_off: &cut_off };
    let two_evaluators = [allowed[0], ("TRUNKLINE_EVALUATORS", "2")];
    let start_another = || WorkerProcess::start_with(app.database_url(), &two_evaluators);
    story.tell(flow, |flow| to_database.let_through(flow), start_another).await;
    verify(app.database_url()).await;
    drop((cut_off, app));
    house.end().await;
    Ok(())
}

/// A PostgreSQL that listens at the link's end.
struct House {
    cluster: Cluster,
    folder: std::path::PathBuf,
}

impl House {
    async fn start(link: &Link) -> Self {
        let folder = std::env::temp_dir().join(format!("trunkline-silent-{}", link.address));
        std::fs::create_dir_all(&folder).unwrap();
        let rules = folder.join("hba.conf");
        std::fs::write(&rules, format!("local all all trust\nhost all all {}/32 trust\n", link.guest))
            .unwrap();
        let settings = [
            ("listen_addresses", link.address.to_string()),
            ("hba_file", rules.to_str().unwrap().to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        let options = ClusterOptions { settings, ..ClusterOptions::for_tests(folder.join("cluster")) };
        Self { cluster: Cluster::start(options).await.unwrap(), folder }
    }

    async fn end(self) {
        self.cluster.stop().await;
        std::fs::remove_dir_all(self.folder).unwrap();
    }
}
