//! What an instance did.

use serde_json::Value;

use crate::cli::output::{Output, cell, print_json, time};
use crate::cli::print_table::table;

pub(super) fn show_instance(explanation: &Value, output: Output) {
    if output == Output::Json {
        print_json(explanation);
        return;
    }
    let definition = &explanation["definition"];
    println!("instance    {}", cell(&explanation["instanceId"]));
    println!(
        "definition  {} ({}, version {})",
        cell(&definition["name"]),
        cell(&definition["id"]),
        cell(&definition["version"])
    );
    println!("status      {}", cell(&explanation["status"]));
    println!("started     {}", time(&explanation["startedAt"]));
    println!("completed   {}", time(&explanation["completedAt"]));
    println!("context     {}", explanation["data"]);
    println!();
    let row = |step: &Value| {
        let told = if step["error"].is_string() { &step["error"] } else { &step["blockedOn"]["message"] };
        [
            cell(&step["step"]),
            cell(&step["stepType"]),
            cell(&step["status"]),
            cell(&step["attempts"]),
            time(&step["startedAt"]),
            time(&step["completedAt"]),
            if told.is_null() { String::new() } else { cell(told) },
        ]
    };
    let rows: Vec<_> = explanation["steps"].as_array().into_iter().flatten().map(row).collect();
    print!("{}", table(["step", "type", "status", "tries", "started", "completed", ""], &rows));
}
