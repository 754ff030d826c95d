//! Who may call the Workflows and Messages API, as an operator says it.

use trunkline::api::nexmo::public_key::PublicKey;

use crate::production::{MASTER_KEY, postgres};
use crate::program::{Ended, TestDir, run};

/// The first id in a text.
fn id(text: &str) -> String {
    let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.find(is_id).unwrap_or_else(|| panic!("no id in {text}")).to_owned()
}

#[tokio::test]
async fn credentials_are_made_rotated_and_suspended() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str())];
    let trunkline = |args: &[&str]| run(&dir, &[&["credentials"], args].concat(), &environment);
    run(&dir, &["migrate"], &environment).succeeded();
    trunkline(&["create", "acme"]).failed(1, "there is no account `acme`");
    run(&dir, &["account", "create", "acme"], &environment).succeeded();
    trunkline(&["show", "acme"]).failed(1, "`trunkline credentials create acme` makes it");
    trunkline(&["suspend", "acme"]).failed(1, "has no API key");

    let first = trunkline(&["create", "acme"]).succeeded();
    let (key, secret) = first.stdout.trim().split_once(':').unwrap();
    assert_eq!((key.len(), secret.len(), first.stdout.lines().count()), (8, 43, 1), "{first:?}");
    let second = trunkline(&["create", "acme"]).succeeded();
    assert!(second.stdout.starts_with(&format!("{key}:")) && !second.stdout.contains(secret));
    trunkline(&["create", "acme"]).failed(1, "has two secrets in force already");
    let first_id = id(&first.stderr);
    trunkline(&["revoke", &first_id]).succeeded();
    trunkline(&["revoke", &first_id]).failed(1, "no secret with id");
    trunkline(&["create", "acme"]).succeeded();

    let urls = ["--status-url", "https://shop.example/st", "--inbound-url", "https://shop.example/in"];
    trunkline(&[&["callbacks", "acme"], &urls[..]].concat()).succeeded();
    trunkline(&["callbacks", "acme", "--inbound-url", "shop.example"])
        .failed(2, "an absolute http or https URL");
    let shown = trunkline(&["callbacks", "acme", "--inbound-url", "none"]).succeeded().stdout;
    assert_eq!(shown, "Statuses and reports  https://shop.example/st\nInbound messages      nowhere\n");
    trunkline(&["suspend", "acme"]).succeeded();
    let shown = trunkline(&["show", "acme"]).succeeded().stdout;
    assert!(shown.contains(&format!("API key               {key}\n")), "{shown}");
    assert!(shown.contains("Standing              suspended\n"), "{shown}");
    assert!(shown.contains("not signed") && shown.contains("https://shop.example/st"), "{shown}");
    assert!(shown.contains(&first_id) && !shown.contains(secret), "{shown}");
    trunkline(&["resume", "acme"]).succeeded();
    assert!(trunkline(&["show", "acme"]).succeeded().stdout.contains(" active\n"));

    trunkline(&["signature", "acme"]).failed(1, "there is no master key");
    let sealing = [&environment[..], &[("TRUNKLINE_MASTER_KEY", MASTER_KEY)]].concat();
    let signature =
        |args: &[&str]| run(&dir, &[&["credentials", "signature", "acme"], args].concat(), &sealing);
    let made = signature(&[]).succeeded().stdout;
    assert_eq!(made.trim().len(), 43);
    assert_eq!(signature(&[]).succeeded().stdout, made);
    assert_ne!(signature(&["--rotate"]).succeeded().stdout, made);
    signature(&["--rotate", "--remove"]).failed(2, "--remove");
    assert!(signature(&["--remove"]).succeeded().stdout.contains("not signed any more"));
    cluster.stop().await;
}

#[tokio::test]
async fn applications_are_made_changed_and_deleted() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str())];
    let trunkline = |args: &[&str]| run(&dir, &[&["application"], args].concat(), &environment);
    run(&dir, &["migrate"], &environment).succeeded();
    trunkline(&["create", "acme", "--name", "x"]).failed(1, "there is no account `acme`");
    run(&dir, &["account", "create", "acme"], &environment).succeeded();
    assert_eq!(trunkline(&["list", "acme"]).succeeded().stdout, "");

    let made = trunkline(&["create", "acme", "--name", "Parcel alerts"]).succeeded();
    assert!(made.stdout.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{made:?}");
    assert!(made.stderr.contains("shown this once"), "{made:?}");
    let made_id = id(&made.stderr);
    let key_of =
        |shown: &Ended| PublicKey::parse(&shown.stdout[shown.stdout.find("-----").unwrap()..]).unwrap();
    let shown = trunkline(&["show", &made_id]).succeeded();
    assert!(!shown.stdout.contains("PRIVATE") && shown.stdout.contains("RSA, 2048 bits"), "{shown:?}");
    let made_key = key_of(&shown);

    // Somebody's own key; of a private one it says what to do instead.
    let file = dir.path().join("key.pem");
    std::fs::write(&file, &made.stdout).unwrap();
    let own = ["create", "acme", "--name", "Own", "--public-key", "key.pem"];
    trunkline(&own).failed(1, "the key in `key.pem` must be the public key");
    trunkline(&[&own[..5], &["nothing.pem"]].concat()).failed(1, "cannot read `nothing.pem`");
    std::fs::write(&file, "ssh-rsa AAAA").unwrap();
    trunkline(&own).failed(1, "must be a public key in PEM");
    std::fs::write(&file, made_key.to_pem()).unwrap();
    let created = trunkline(&[&own[..], &["--status-url", "https://shop.example/st"]].concat()).succeeded();
    let own_id = created.stdout.trim().to_owned();
    assert_eq!(id(&created.stderr), own_id);
    let list = trunkline(&["list", "acme"]).succeeded().stdout;
    assert!(list.contains(&made_id) && list.contains(&own_id) && list.contains("Parcel alerts"), "{list}");

    let rotated = trunkline(&["rotate-key", &made_id]).succeeded();
    assert!(rotated.stdout.starts_with("-----BEGIN PRIVATE KEY-----\n") && rotated.stdout != made.stdout);
    assert_ne!(key_of(&trunkline(&["show", &made_id]).succeeded()), made_key);
    assert_eq!(trunkline(&["rotate-key", &made_id, "--public-key", "key.pem"]).succeeded().stdout, "");
    assert_eq!(key_of(&trunkline(&["show", &made_id]).succeeded()), made_key);

    let changed =
        trunkline(&["change", &own_id, "--name", "Alerts", "--status-url", "none"]).succeeded().stdout;
    assert!(changed.contains("Name            Alerts\n"), "{changed}");
    assert!(changed.contains("Status URL      the account's\n"), "{changed}");
    assert!(trunkline(&["suspend", &own_id]).succeeded().stdout.contains("is suspended"));
    assert!(trunkline(&["show", &own_id]).succeeded().stdout.contains("Standing        suspended\n"));
    assert!(trunkline(&["resume", &own_id]).succeeded().stdout.contains("is active again"));
    trunkline(&["delete", &own_id]).succeeded();
    for action in ["show", "delete", "suspend", "rotate-key", "change"] {
        trunkline(&[action, &own_id]).failed(1, "there is no application");
    }
    cluster.stop().await;
}
