//! `trunkline verify` names what is broken: every rule has a case that breaks it and no other.

mod engine;
mod history;
mod workflows;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Engine;

/// What breaks rules, which ones, and what mends them again.
type Case = (&'static str, &'static [&'static str], &'static str);

const OF_ONE_ACCOUNT: &str = "no row crosses accounts";

async fn check(engine: &Engine, cases: &[Case]) {
    let store = engine.app.store();
    let broken = || async {
        let violations = store.verify().await.unwrap();
        violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
    };
    assert!(broken().await.is_empty());
    for (breaks, rules, mends) in cases {
        sqlx::raw_sql(sqlx::AssertSqlSafe(*breaks)).execute(store.pool()).await.unwrap();
        let mut named = broken().await;
        named.sort_unstable();
        let mut expected = rules.to_vec();
        expected.sort_unstable();
        assert_eq!(named, expected, "{breaks}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(*mends)).execute(store.pool()).await.unwrap();
        assert!(broken().await.is_empty(), "{mends}");
    }
}

#[test]
fn every_rule_has_a_case_that_breaks_it_alone() {
    let cases = [engine::CASES, workflows::CASES, history::CASES].concat();
    let broken: BTreeSet<String> = cases
        .iter()
        .filter(|(_, rules, _)| rules.len() == 1)
        .map(|(_, rules, _)| rules[0].to_owned())
        .collect();
    assert_eq!(broken, rules_of_the_source());
}

/// The name of each, as the store's files have them.
fn rules_of_the_source() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/store/src");
    let mut files = vec![folder.join("verify.rs")];
    files.extend(std::fs::read_dir(folder.join("verify")).unwrap().map(|entry| entry.unwrap().path()));
    let mut rules = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let text: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        // An array of name and statement, and how many there are.
        for array in text.split("[(&str, &str)").skip(1) {
            let (count, array) = array.strip_prefix("; ").unwrap().split_once("] = [").unwrap();
            let array = array.split("];").next().unwrap();
            let texts: Vec<&str> = array.split('"').skip(1).step_by(2).collect();
            assert_eq!(texts.len(), 2 * count.parse::<usize>().unwrap(), "{}", file.display());
            rules.extend(texts.into_iter().step_by(2).map(str::to_owned));
        }
    }
    rules
}
