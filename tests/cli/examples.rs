//! The examples, each to its end: a real `dev` has saved them, the sandbox plays the phones and the services.

mod cases;
mod tried;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::dev::Dev;
use crate::program::{LIMIT, TestDir, look_again};
use tried::{Tried, texts_of};

const README: &str = include_str!("../../examples/README.md");

const VALIDATE: &str = "/api/v1/accounts/dev/definitions/validate";

/// File names and contents, by name.
pub fn examples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (name, serde_json::from_str(&text).unwrap())
    };
    let mut examples: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "json")).map(read).collect();
    examples.sort_by(|(one, _), (other, _)| one.cmp(other));
    examples
}

#[tokio::test]
async fn every_example_does_what_its_line_in_the_readme_says() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    for (file, example) in examples() {
        assert_eq!(readme_line(&file)[1..3], places_of(&example), "{file}");
        let (_, check) = dev.client().call("POST", VALIDATE, Some(&example)).await;
        assert_eq!(check, json!({"valid": true, "problems": []}), "{file}");
        let tried =
            Tried { dev: &dev, name: example["definition"]["name"].as_str().unwrap(), example: &example };
        match file.as_str() {
            "appointment-reminder.json" => cases::appointment_reminder(&tried).await,
            "country-routing.json" => cases::country_routing(&tried).await,
            "customer-care.json" => cases::customer_care(&tried).await,
            "fallback-to-sms.json" => cases::fallback_to_sms(&tried).await,
            "keyword-menu.json" => cases::keyword_menu(&tried).await,
            "order-intake.json" => cases::order_intake(&tried).await,
            "out-of-office.json" => cases::out_of_office(&tried).await,
            "pong.json" => cases::pong(&tried).await,
            "service-check.json" => cases::service_check(&tried).await,
            "undelivered-to-api.json" => cases::undelivered_to_api(&tried).await,
            "urgent-notice.json" => cases::urgent_notice(&tried).await,
            "voice-confirmation.json" => cases::voice_confirmation(&tried).await,
            "weekly-report.json" => cases::weekly_report(&tried).await,
            _ => panic!("examples/{file} is not tried out: add it here"),
        }
    }
    assert_eq!(dev.process.stop().await, Some(0));
}

/// Needs curl on the machine, as its reader does.
#[tokio::test]
async fn the_lines_of_the_readme_work_as_they_stand() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let (_, words) = README.split_once("```sh\n").unwrap();
    let (words, _) = words.split_once("```").unwrap();
    let words = words
        .replace("target/debug/trunkline", env!("CARGO_BIN_EXE_trunkline"))
        .replace("curl -s", "curl -fSs");
    for (file, _) in examples() {
        let tries = readme_line(&file)[4].split("<br>").map(|span| span.trim_matches('`').to_owned());
        for line in tries {
            // What a line refers to is there by the time that its reader has pasted it.
            let begun = Instant::now();
            loop {
                let script = format!("{words}\n{line}");
                let shell =
                    Command::new("sh").args(["-e", "-c", &script]).current_dir(dir.path()).output().unwrap();
                if shell.status.success() {
                    break;
                }
                assert!(begun.elapsed() < LIMIT, "{line}: {shell:?}");
                look_again().await;
            }
        }
    }
    for (destination, text) in [
        ("6590001111", "Pong. You wrote: ping"),
        ("6590002222", "Reply 1 for our opening hours, 2 for the way to us."),
        ("84912345678", "Our team in Hanoi takes care of you."),
        ("6590005555", "Your parcel is here."),
        ("6590007777", "Confirmed: your table at 8 in the evening."),
        ("6590008888", "Booked: Friday at 10."),
        ("6590009999", "The report of the week has the number "),
        ("6590003333", "All is well: "),
        ("6590010201", "The water is off tonight."),
    ] {
        let path = format!("/sandbox/outbox?destination={destination}");
        let has_text = |outbox: &Value| texts_of(outbox).iter().any(|sent| sent.starts_with(text));
        dev.client().get_until(&path, text, has_text).await;
    }
    assert_eq!(dev.process.stop().await, Some(0));
}

/// The cells of its row.
fn readme_line(file: &str) -> Vec<&'static str> {
    let start = format!("| [{file}]({file}) |");
    let line = README.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("no line for {file} in examples/README.md"));
    line.trim_matches('|').split(" | ").map(str::trim).collect()
}

/// Subaccount and trigger, as the table has them.
fn places_of(example: &Value) -> [String; 2] {
    let text = |name: &str| format!("`{}`", example[name].as_str().unwrap());
    let is_ours = ["delivery_receipt", "schedule"].contains(&example["trigger"].as_str().unwrap());
    [text("subAccountId"), text("trigger") + if is_ours { "¹" } else { "" }]
}
