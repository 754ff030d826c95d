//! All commands, and what each is run with.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use rustix::process::{Resource, Rlimit};

use super::error::CliError;
use super::evaluator::EvaluatorChild;
use super::ignore_blank_environment::ignore_blank_environment;
use super::settings::LogSettings;
use super::{
    account, application, batch, completions, connector, credentials, definition, dev, doctor,
    history_policy, instance, key, limits, master_key, migrate, name_environment, rerun, serve, sim, verify,
    webhook, worker, workers,
};

/// A self-hosted automation server for messaging, on PostgreSQL
///
/// Start with `trunkline dev`: the whole server in one process, with a PostgreSQL of its own. In production,
/// `serve` and any number of `worker` processes share the database that `DATABASE_URL` names.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogSettings,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    Worker(worker::Worker),
    Migrate(migrate::Migrate),
    Account(account::AccountCommand),
    Key(key::KeyCommand),
    MasterKey(master_key::MasterKey),
    Connector(connector::ConnectorCommand),
    Webhook(webhook::WebhookCommand),
    Credentials(credentials::CredentialsCommand),
    Application(application::ApplicationCommand),
    Workers(workers::WorkersCommand),
    Definition(definition::DefinitionCommand),
    Instance(instance::InstanceCommand),
    Rerun(rerun::Rerun),
    Batch(batch::BatchCommand),
    Doctor(doctor::Doctor),
    Limits(limits::LimitsCommand),
    HistoryPolicy(history_policy::HistoryPolicyCommand),
    Verify(verify::Verify),
    Sim(sim::Sim),
    Completions(completions::Completions),
    #[command(hide = true)]
    Evaluator(EvaluatorChild),
}

/// Ends the process when there is nothing to run: wrong words, `--help`, `--version`.
pub fn parse() -> Cli {
    let mut command = ignore_blank_environment(Cli::command());
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command)));
    parsed.unwrap_or_else(|error| name_environment::explain::<Cli>(error).exit())
}

/// Runs the command to its end.
pub fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { command, log } = cli;
    if let Command::Evaluator(_) = command {
        EvaluatorChild::run();
    }
    log.start();
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::System { action: "start the runtime", source })?;
    runtime.block_on(async {
        match command {
            Command::Dev(dev) => dev.run().await,
            Command::Serve(serve) => serve.run().await,
            Command::Worker(worker) => worker.run().await,
            Command::Migrate(migrate) => migrate.run().await,
            Command::Account(account) => account.run().await,
            Command::Key(key) => key.run().await,
            Command::MasterKey(master_key) => return master_key.run().await,
            Command::Connector(connector) => return connector.run().await,
            Command::Webhook(webhook) => webhook.run().await,
            Command::Credentials(credentials) => credentials.run().await,
            Command::Application(application) => application.run().await,
            Command::Workers(workers) => workers.run().await,
            Command::Definition(definition) => return definition.run().await,
            Command::Instance(instance) => return instance.run().await,
            Command::Rerun(rerun) => rerun.run().await,
            Command::Batch(batch) => return batch.run().await,
            Command::Doctor(doctor) => return doctor.run().await,
            Command::Limits(limits) => limits.run().await,
            Command::HistoryPolicy(policy) => policy.run().await,
            Command::Verify(verify) => return verify.run().await,
            Command::Sim(sim) => sim.run().await,
            Command::Completions(completions) => {
                completions.run();
                Ok(())
            }
            Command::Evaluator(_) => EvaluatorChild::run(),
        }
        .map(|()| ExitCode::SUCCESS)
    })
}

/// As many as the machine's administrator allows: a worker may hold a connection for each slot.
fn allow_open_files() {
    let allowed = rustix::process::getrlimit(Resource::Nofile).maximum;
    // It may be less than what is there already; then it stays.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: allowed, maximum: allowed });
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_of_the_environment_says_what_it_is() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{argument} of {}", command.get_name());
            }
        }
    }
}
