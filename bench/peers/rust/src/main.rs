//! Measures one part of one peer and prints one line of JSON, as `measure.js` does for those of Node:
//!
//!     DATABASE_URL=… trunkline-peers <peer> <part> <amount>
//!
//! Client and worker share this process and its threads, one for each core.

mod apalis_queue;
mod apalis_steps;
mod graphile;
mod load;
mod measure;
mod watcher;

use anyhow::{Context, bail};

use measure::{Part, measure};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, part, amount] = &arguments[..] else { bail!("usage: trunkline-peers <peer> <part> <amount>") };
    let part = match &part[..] {
        "steps" => Part::Steps,
        "latency-1" => Part::Latency(1),
        "latency-5" => Part::Latency(5),
        "parked" => Part::Parked,
        _ => bail!("there is no part `{part}`"),
    };
    let amount = amount.parse()?;
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL says where to measure")?;
    let printed = match &peer[..] {
        "apalis-postgres" => measure::<apalis_queue::Queue>(&url, part, amount).await?,
        "apalis-workflow" => measure::<apalis_steps::Steps>(&url, part, amount).await?,
        "graphile_worker" => measure::<graphile::Queue>(&url, part, amount).await?,
        _ => bail!("there is no peer `{peer}`"),
    };
    println!("{printed}");
    // Workers run for ever.
    std::process::exit(0)
}
