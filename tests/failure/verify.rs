//! The command that must find nothing after each scenario.

use std::process::Command;

use crate::support::MASTER_KEY;

/// `trunkline verify`, as somebody runs it.
pub async fn verify(database_url: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command
        .arg("verify")
        .env_clear()
        .env("DATABASE_URL", database_url)
        .env("TRUNKLINE_MASTER_KEY", MASTER_KEY);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Every rule holds."), "{said}");
}
