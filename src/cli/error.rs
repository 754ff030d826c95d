//! Why a command ends without having done its work. Each is one line that says what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use trunkline_store::StoreError;
use trunkline_store::cluster::ClusterError;
use trunkline_store::sealing::MasterKeyError;

use crate::api::nexmo::public_key::PublicKeyError;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(
        "`--listen {0}` can be reached from other machines: `dev` is for this machine alone (127.0.0.1 or [::1]), \
         others are served by `trunkline serve`"
    )]
    NotLoopback(String),
    #[error(
        "`--listen {typed}` is no address of this machine: it reads `127.0.0.1:8080` or `localhost:8080`"
    )]
    BadAddress { typed: String, source: io::Error },
    #[error("cannot listen on `{address}`")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("`{name}` is not usable: {problem}")]
    BadSetting { name: &'static str, problem: &'static str },
    /// The same, with what a provider's part said.
    #[error("`{what}` is not usable: {problem}")]
    Unusable { what: &'static str, problem: String },
    #[error("`{name}` is not usable: it reads `postgres://user:password@host:port/database`")]
    BadDatabaseUrl { name: &'static str, source: Option<StoreError> },
    #[error(
        "there is no master key: `trunkline master-key` makes one, `TRUNKLINE_MASTER_KEY` or a file named by \
         `TRUNKLINE_MASTER_KEY_FILE` holds it"
    )]
    NoMasterKey,
    #[error("both `TRUNKLINE_MASTER_KEY` and `TRUNKLINE_MASTER_KEY_FILE` are set: one of them is enough")]
    TwoMasterKeys,
    #[error("the master key in {place} is not usable: {source}")]
    BadMasterKey { place: String, source: MasterKeyError },
    #[error("no answer from the database within {0} seconds")]
    NoAnswer(u64),
    #[error("`--reset` is for the private PostgreSQL; the database of `--database-url` is yours to empty")]
    ResetOfForeignDatabase,
    #[error("there is an account `{0}` already")]
    AccountExists(String),
    #[error("there is no account `{0}`: `trunkline account create {0}` makes it")]
    NoAccount(String),
    #[error("account `{account}` has no connector `{kind}`{}: `trunkline connector list {account}` shows those it has", of_subaccount(subaccount.as_deref()))]
    NoConnector { account: String, kind: &'static str, subaccount: Option<String> },
    #[error(
        "`{url}` is not on the server of before, `{before}`, and the `Authorization` value of before is not sent to \
         another: `--authorization-file` names one, `--afresh` goes without"
    )]
    OtherOrigin { before: String, url: String },
    #[error("there is no worker `{0}`: `trunkline workers list` shows those that are there")]
    NoWorker(String),
    #[error("no key with id `{0}` is in force")]
    NoKey(uuid::Uuid),
    #[error("account `{0}` has no API key: `trunkline credentials create {0}` makes it")]
    NoApiKey(String),
    #[error(
        "account `{0}` has two secrets in force already: `trunkline credentials show {0}` lists them, and `revoke` \
         makes room"
    )]
    TwoSecrets(String),
    #[error("no secret with id `{0}` is in force")]
    NoSecret(uuid::Uuid),
    #[error(
        "account `{0}` has 100 applications, as many as it may: delete one first with `trunkline application delete`"
    )]
    TooManyApplications(String),
    #[error("there is no application `{0}`: `trunkline application list` shows those of an account")]
    NoApplication(uuid::Uuid),
    #[error("the key in `{}` {source}", path.display())]
    BadPublicKey { path: PathBuf, source: PublicKeyError },
    #[error(
        "no `trunkline dev` found: neither `TRUNKLINE_URL` nor `{}` says where it runs", path.display()
    )]
    NoDev { path: PathBuf },
    #[error(
        "no server to talk to: neither `{name}` nor a file `{}` of `trunkline dev` says it", path.display()
    )]
    NoServer { name: &'static str, path: PathBuf },
    #[error("there are several definitions of the name `{name}`: `--id` says which one is meant")]
    SeveralDefinitions { name: String },
    #[error("there is no definition `{0}`")]
    NoDefinition(uuid::Uuid),
    #[error("no instance matches")]
    NoInstances,
    #[error("a batch has at most 100,000 instances: narrow it by more conditions, times for example")]
    TooManyInstances,
    #[error("there is no terminal to ask at: `--yes` does it without asking, `--dry-run` only counts")]
    NobodyToAsk,
    #[error("{0}")]
    Call(String),
    #[error("{call} was answered with {status}: {message}")]
    Refused { call: String, status: u16, message: String },
    #[error("the {0} ended on its own")]
    EndedEarly(&'static str),
    #[error("spans cannot be exported: {0}")]
    Traces(String),
    #[error("cannot {action} `{}`", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {action}")]
    System { action: &'static str, source: io::Error },
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn of_subaccount(subaccount: Option<&str>) -> String {
    subaccount.map(|id| format!(" for subaccount `{id}`")).unwrap_or_default()
}
