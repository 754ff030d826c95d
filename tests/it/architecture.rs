//! The house's rules that the compiler does not keep.

use std::path::{Path, PathBuf};

use trunkline_workflow::step::StepType;

/// Every Rust file in a folder of ours.
pub fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    assert!(!found.is_empty(), "{folder}");
    found
}

fn none_says(folder: &str, words: &[&str], except: &[&str]) {
    for (path, text) in sources(folder) {
        if except.iter().any(|allowed| path.ends_with(allowed)) {
            continue;
        }
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for word in words {
                assert!(!line.contains(word), "{}:{}: `{word}`", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_api_never_names_the_workers() {
    none_says("src/api", &["trunkline_workers"], &[]);
}

#[test]
fn only_the_queue_names_apalis() {
    none_says("workers/src", &["apalis"], &["queue.rs"]);
    for folder in ["src", "crates"] {
        none_says(folder, &["apalis"], &[]);
    }
}

#[test]
fn only_the_store_talks_sql() {
    for folder in
        ["src", "workers/src", "crates/workflow/src", "crates/expressions/src", "crates/connectors/src"]
    {
        none_says(folder, &["sqlx::"], &[]);
    }
}

#[test]
fn the_workflow_crate_has_no_clock_and_no_io() {
    none_says(
        "crates/workflow/src",
        &["std::fs", "std::net", "tokio", "Instant::now", "SystemTime", "Utc::now"],
        &[],
    );
}

/// Each step type is checked in one file and done in one of the same name.
#[test]
fn every_step_type_has_its_two_files() {
    let names = |folder: &str| -> Vec<String> {
        let stem = |(path, _): (PathBuf, String)| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<String> =
            sources(folder).into_iter().map(stem).filter(|name| name != "mod").collect();
        names.sort();
        names
    };
    let shapes = names("crates/workflow/src/step");
    for done in names("workers/src/steps") {
        assert!(shapes.contains(&done), "{done}");
    }
    assert_eq!(shapes.len(), StepType::ALL.len() + StepType::INTERNAL.len());
}
