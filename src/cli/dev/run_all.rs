//! Server, carrier and workers on one database, from their start to their orderly end.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trunkline_connectors::eight_by_eight::{EightByEight, VoiceApi};
use trunkline_connectors::messages_api::{Auth, MessagesApi, MessagesApiSettings, SmsRoute, Version};
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient, parse_network};
use trunkline_expressions::Limits;
use trunkline_store::{Store, clock};
use trunkline_workers::{ConnectorUse, Rules, Settings, Tools};

use super::banner::Banner;
use super::database::{Database, Place};
use super::env_file::EnvFile;
use super::seed_account::{ACCOUNT, seed_account};
use super::seed_examples::seed_examples;
use super::seed_handover::seed_handover;
use super::seed_webhook::seed_webhook;
use super::seed_workflows_key::seed_workflows_key;
use crate::api::{self, ApiConfig, ApiState};
use crate::cli::call_server::Server;
use crate::cli::error::CliError;
use crate::cli::listen;
use crate::cli::settings::evaluators;
use crate::cli::shutdown::Shutdown;
use crate::metrics;
use crate::sandbox::{self, Sandbox, SandboxConfig};

/// Somebody waits at the terminal: less than in production.
const GRACE: Duration = Duration::from_secs(5);

/// Returns when everything has ended, because somebody wished so or because a part failed.
pub(super) async fn run_all(
    database: &Database,
    listener: TcpListener,
    data_dir: &Path,
    workers: u16,
    start_over: &str,
    begun: Instant,
    shutdown: &Shutdown,
) -> Result<(), CliError> {
    let store = &database.store;
    let address =
        listener.local_addr().map_err(|source| CliError::System { action: "look at the port", source })?;
    let api_key = seed_account(store, data_dir).await?;
    let webhook_secret = seed_webhook(store).await?;
    let url = format!("http://{address}");
    let workflows = seed_workflows_key(store, data_dir, &url).await?;
    let env = EnvFile {
        url,
        account: ACCOUNT.to_owned(),
        api_key,
        webhook_secret,
        workflows_api_key: workflows.key,
        workflows_api_secret: workflows.secret,
    };

    let (stop_server, server_stop) = Shutdown::on_demand();
    let mut server = JoinSet::new();
    server.spawn(listen::serve(listener, router(store, &env), server_stop.requested(), GRACE));

    let tidying = tokio::spawn(metrics::keep_tidy());
    let (stop_workers, workers_stop) = Shutdown::on_demand();
    let mut working = JoinSet::new();
    let ready = async {
        let connectors = connector_use(&database.place);
        if connectors == ConnectorUse::First {
            seed_handover(store, &env.url).await?;
        }
        seed_examples(&Server::new(&env.url, Some(&env.api_key))).await?;
        let tools = tools(&env.url, connectors);
        for number in 1..=workers {
            let settings = Settings { name: format!("dev-{number}"), grace: GRACE, ..Settings::default() };
            working.spawn(trunkline_workers::run(
                store.clone(),
                tools.clone(),
                settings,
                workers_stop.requested(),
            ));
        }
        env.write(data_dir)
    };
    let outcome = match ready.await {
        Ok(()) => {
            let data_dir = data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned());
            let started_in = begun.elapsed();
            // One write: whoever sees a part of it sees all of it.
            let banner = Banner { database, env: &env, data_dir: &data_dir, workers, start_over, started_in };
            let banner = banner.to_string();
            print!("{banner}");
            tokio::select! {
                () = shutdown.requested() => Ok(()),
                _ = server.join_next() => Err(CliError::EndedEarly("server")),
                _ = working.join_next() => Err(CliError::EndedEarly("worker")),
            }
        }
        Err(error) => Err(error),
    };
    tracing::info!("stopping");
    stop_workers.send_replace(true);
    while working.join_next().await.is_some() {}
    stop_server.send_replace(true);
    while server.join_next().await.is_some() {}
    tidying.abort();
    outcome
}

fn router(store: &Store, env: &EnvFile) -> Router {
    let carrier = Sandbox::new(SandboxConfig {
        webhook_url: format!("{}/webhooks/v1/accounts/{ACCOUNT}/messages", env.url),
        webhook_authorization: Some(env.webhook_secret.clone()),
        account: ACCOUNT.to_owned(),
        sms_sub_account: "dev_sms".to_owned(),
        chat_sub_account: "dev_chat".to_owned(),
        callback_policy: policy_of_steps(),
        clock: clock::now,
    });
    let state = ApiState::new(store.clone(), clock::now, ApiConfig::default());
    // On the same address, which only this machine reaches.
    api::router(state).merge(sandbox::router(carrier)).merge(metrics::of_server(store.clone()))
}

/// Somebody else's database may have connectors that reach phones; in our own they are there to be tried.
fn connector_use(place: &Place) -> ConnectorUse {
    match place {
        Place::Private { .. } => ConnectorUse::First,
        Place::Named { .. } => ConnectorUse::Ignored,
    }
}

/// Who has no connector sends through the carrier of this very server.
fn tools(url: &str, connectors: ConnectorUse) -> Tools {
    Tools {
        evaluator: evaluators(None, Limits::default().timeout),
        providers: OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() }),
        outbound: OutboundClient::new(policy_of_steps()),
        fallback: Some(EightByEight {
            sms_url: format!("{url}/sandbox/8x8/sms"),
            chat_apps_url: format!("{url}/sandbox/8x8/chatapps"),
            voice_url: format!("{url}/sandbox/8x8/voice"),
            voice_api: VoiceApi::default(),
            api_key: "sandbox".to_owned(),
        }),
        messages_fallback: Some(messages_of_sandbox(url)),
        connectors,
        rules: Rules { public_url: Some(url.to_owned()), ..Rules::default() },
    }
}

fn messages_of_sandbox(url: &str) -> MessagesApi {
    let settings = MessagesApiSettings {
        base_url: Some(format!("{url}/sandbox/nexmo")),
        version: Version::V0_1,
        auth: Auth::Basic { api_key: "sandbox".to_owned() },
        sms: SmsRoute::MessagesApi,
        sms_sub_account_id: None,
    };
    settings.resolve("sandbox").expect("there are a key and a secret")
}

/// This machine besides the public internet: what is tried out here runs here. Not the network around it, where
/// nobody expects a stranger's definition to ask.
fn policy_of_steps() -> AddressPolicy {
    let loopback = ["127.0.0.0/8", "::1"];
    let allowed = loopback.map(|network| parse_network(network).expect("these are networks"));
    AddressPolicy { allow_private: false, allowed: allowed.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::policy_of_steps;

    #[test]
    fn steps_may_call_this_machine_and_the_internet_and_nothing_between() {
        let policy = policy_of_steps();
        for (address, permitted) in [
            ("127.0.0.1", true),
            ("127.8.9.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("8.8.8.8", true),
            ("2606:4700:4700::1111", true),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.0.1", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("0.0.0.0", false),
            ("::", false),
            ("fd00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(policy.permits(address.parse().unwrap()), permitted, "{address}");
        }
    }
}
