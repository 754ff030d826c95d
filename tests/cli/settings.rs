//! What can be set is written in `--help`; what is set wrong is refused by name.

use crate::program::{TestDir, run};

#[test]
fn help_lists_every_setting_with_its_default() {
    let dir = TestDir::new();
    let of_all = [("TRUNKLINE_LOG", "info"), ("TRUNKLINE_LOG_FORMAT", "text")];
    let of_both = [
        ("DATABASE_URL", ""),
        ("TRUNKLINE_DIRECT_DATABASE_URL", ""),
        ("TRUNKLINE_DATABASE_CONNECTIONS", "16"),
        ("TRUNKLINE_GRACE_SECONDS", "20"),
        ("TRUNKLINE_MASTER_KEY_FILE", ""),
        ("TRUNKLINE_METRICS_LISTEN", "none, and nothing is measured"),
    ];
    let of_serve = [
        ("TRUNKLINE_LISTEN", "127.0.0.1:8080"),
        ("TRUNKLINE_RATE_LIMIT", "any number"),
        ("TRUNKLINE_USAGE_SHAPE", "array"),
        ("TRUNKLINE_WORKFLOWS_RATE", "30"),
        ("TRUNKLINE_WORKFLOWS_STEPS", "25"),
        ("TRUNKLINE_WORKFLOWS_CHECKS", "lenient"),
        ("TRUNKLINE_TRUSTED_PROXIES", "none"),
    ];
    let of_worker = [
        ("TRUNKLINE_WORKER_NAME", "the machine's name and the process id"),
        ("TRUNKLINE_WORKER_SLOTS", "1024"),
        ("TRUNKLINE_SLOTS_PER_ACCOUNT", "three quarters of the slots"),
        ("TRUNKLINE_WORKER_ACCOUNTS", "all"),
        ("TRUNKLINE_WORKER_EXCEPT_ACCOUNTS", "none"),
        ("TRUNKLINE_WORKER_STEPS", "all"),
        ("TRUNKLINE_WORKER_EXCEPT_STEPS", "none"),
        ("TRUNKLINE_LEASE_SECONDS", "15"),
        ("TRUNKLINE_POLL_MILLISECONDS", "500"),
        ("TRUNKLINE_RETENTION_DAYS", "90"),
        ("TRUNKLINE_EVALUATORS", "one per processor core"),
        ("TRUNKLINE_SCRIPT_MILLISECONDS", "500"),
        ("TRUNKLINE_ALLOW_ADDRESSES", "none"),
        ("TRUNKLINE_PUBLIC_URL", "none, "),
        ("TRUNKLINE_INTERRUPTED_SENDS", "repeat"),
        ("TRUNKLINE_TEXT_ANSWERS", "fault"),
        ("TRUNKLINE_SEND_RETRY", "none"),
        ("TRUNKLINE_HISTORY_BYTES", "4096"),
        ("TRUNKLINE_WORKFLOW_FEE", "0"),
        ("TRUNKLINE_WORKFLOWS_STEPS", "25"),
        ("TRUNKLINE_WORKFLOWS_CHECKS", "lenient"),
    ];
    for (command, own) in [("serve", &of_serve[..]), ("worker", &of_worker)] {
        let help = run(&dir, &[command, "--help"], &[]).succeeded().stdout;
        for (name, default) in own.iter().chain(&of_all).chain(&of_both) {
            // The flag's paragraph: from the line before its description to the next flag.
            let paragraph = help
                .split("\n      --")
                .find(|paragraph| paragraph.contains(&format!("[env: {name}")))
                .unwrap_or_else(|| panic!("no {name} in {help}"));
            let shown = format!("[default: {default}");
            assert!(default.is_empty() || paragraph.contains(&shown), "no {shown} in {paragraph}");
        }
    }
}

#[test]
fn help_does_not_show_secrets_of_the_environment() {
    let dir = TestDir::new();
    let names = [
        "DATABASE_URL",
        "TRUNKLINE_DIRECT_DATABASE_URL",
        "TRUNKLINE_PROVIDER_API_KEY",
        "TRUNKLINE_MASTER_KEY",
    ];
    let environment = names.map(|name| (name, "hush-hush"));
    let set = ["connector", "set", "acme", "8x8", "--help"];
    for command in
        [&["serve", "--help"][..], &["worker", "--help"], &["dev", "--help"], &["migrate", "--help"], &set]
    {
        let help = run(&dir, command, &environment).succeeded().stdout;
        assert!(!help.contains("hush"), "{help}");
    }
}

#[test]
fn a_wrong_value_is_refused_by_name() {
    let dir = TestDir::new();
    let url = "postgres://localhost:1/x";
    for (command, name, value) in [
        ("serve", "TRUNKLINE_LISTEN", "8080"),
        ("serve", "TRUNKLINE_GRACE_SECONDS", "-1"),
        ("serve", "TRUNKLINE_RATE_LIMIT", "0"),
        ("serve", "TRUNKLINE_USAGE_SHAPE", "list"),
        ("serve", "TRUNKLINE_WORKFLOWS_RATE", "0"),
        ("serve", "TRUNKLINE_WORKFLOWS_STEPS", "0"),
        ("serve", "TRUNKLINE_WORKFLOWS_CHECKS", "kind"),
        ("worker", "TRUNKLINE_WORKFLOW_FEE", "-0.002"),
        ("serve", "TRUNKLINE_TRUSTED_PROXIES", "10.0.0.0/8,balancer"),
        ("serve", "TRUNKLINE_MASTER_KEY", "hush"),
        ("serve", "TRUNKLINE_DATABASE_CONNECTIONS", "0"),
        ("worker", "TRUNKLINE_WORKER_NAME", "a\tb"),
        ("worker", "TRUNKLINE_WORKER_SLOTS", "0"),
        ("worker", "TRUNKLINE_WORKER_SLOTS", "many"),
        ("worker", "TRUNKLINE_SLOTS_PER_ACCOUNT", "0"),
        ("worker", "TRUNKLINE_WORKER_ACCOUNTS", "acme,"),
        ("worker", "TRUNKLINE_WORKER_EXCEPT_ACCOUNTS", "a b"),
        ("worker", "TRUNKLINE_WORKER_STEPS", "SMS,Fax"),
        ("worker", "TRUNKLINE_WORKER_EXCEPT_STEPS", ","),
        ("worker", "TRUNKLINE_LEASE_SECONDS", "1"),
        ("worker", "TRUNKLINE_POLL_MILLISECONDS", "0"),
        ("worker", "TRUNKLINE_RETENTION_DAYS", "0"),
        ("worker", "TRUNKLINE_EVALUATORS", "0"),
        ("worker", "TRUNKLINE_SCRIPT_MILLISECONDS", "60001"),
        ("worker", "TRUNKLINE_ALLOW_ADDRESSES", "10.0.0.0/8,intranet"),
        ("worker", "TRUNKLINE_PUBLIC_URL", "trunkline.example"),
        ("worker", "TRUNKLINE_INTERRUPTED_SENDS", "drop"),
        ("worker", "TRUNKLINE_TEXT_ANSWERS", "guess"),
        ("worker", "TRUNKLINE_SEND_RETRY", "{}"),
        ("worker", "TRUNKLINE_MASTER_KEY", "hush\nhush"),
        ("migrate", "TRUNKLINE_LOG", "loud"),
        ("migrate", "TRUNKLINE_LOG_FORMAT", "xml"),
    ] {
        let ended = run(&dir, &[command], &[("DATABASE_URL", url), (name, value)]);
        assert!(!ended.stderr.contains("hush"), "a secret was shown: {ended:?}");
        let code = if name.contains("KEY") { 1 } else { 2 };
        ended.failed(code, name);
    }
    run(&dir, &["worker", "--slots", "0"], &[("DATABASE_URL", url)]).failed(2, "'--slots <COUNT>'");
    let both = ["worker", "--accounts", "a", "--except-accounts", "b"];
    run(&dir, &both, &[("DATABASE_URL", url)]).failed(2, "--except-accounts");
}

#[test]
fn the_database_must_be_named_and_its_password_is_not_repeated() {
    let dir = TestDir::new();
    for command in
        [&["serve"][..], &["worker"], &["migrate"], &["verify"], &["account", "list"], &["key", "list", "a"]]
    {
        run(&dir, command, &[]).failed(2, "DATABASE_URL");
        let ended = run(&dir, command, &[("DATABASE_URL", "mysql://me:hush@localhost/x")]);
        assert!(!ended.stderr.contains("hush"), "{ended:?}");
        ended.failed(1, "`DATABASE_URL` is not usable");
    }
}

#[test]
fn the_master_key_is_demanded_where_secrets_are() {
    let dir = TestDir::new();
    let database = ("DATABASE_URL", "postgres://localhost:1/x");
    let key = run(&dir, &["master-key"], &[]).succeeded().stdout;
    assert_ne!(run(&dir, &["master-key"], &[]).succeeded().stdout, key);
    std::fs::write(dir.path().join("master.key"), &key).unwrap();
    std::fs::write(dir.path().join("empty.key"), "\n").unwrap();
    for command in [
        &["serve"][..],
        &["worker"],
        &["connector", "test", "a", "--subaccount", "shop"],
        &["master-key", "reseal"],
        &["webhook", "rotate", "a"],
        &["webhook", "show", "a", "--url", "https://t.example"],
    ] {
        run(&dir, command, &[database]).failed(1, "`trunkline master-key` makes one");
        for blank in ["", " \n"] {
            let blank = [database, ("TRUNKLINE_MASTER_KEY", blank), ("TRUNKLINE_MASTER_KEY_FILE", blank)];
            run(&dir, command, &blank).failed(1, "there is no master key");
        }
    }
    let list = ["connector", "list", "a"];
    let file = ("TRUNKLINE_MASTER_KEY_FILE", "master.key");
    for good in [file, ("TRUNKLINE_MASTER_KEY", key.trim())] {
        run(&dir, &list, &[database, good]).failed(1, "the database is unavailable");
    }
    run(&dir, &list, &[database, file, ("TRUNKLINE_MASTER_KEY", key.trim())])
        .failed(1, "one of them is enough");
    let missing = ("TRUNKLINE_MASTER_KEY_FILE", "nowhere.key");
    run(&dir, &list, &[database, missing]).failed(1, "cannot read `nowhere.key`");
    let empty = ("TRUNKLINE_MASTER_KEY_FILE", "empty.key");
    run(&dir, &list, &[database, empty]).failed(1, "there is no key in it");
}

#[test]
fn a_blank_variable_is_none() {
    let dir = TestDir::new();
    let settings = [
        "TRUNKLINE_LISTEN",
        "TRUNKLINE_GRACE_SECONDS",
        "TRUNKLINE_LOG",
        "TRUNKLINE_LOG_FORMAT",
        "TRUNKLINE_MASTER_KEY_FILE",
        "TRUNKLINE_PUBLIC_URL",
        "TRUNKLINE_RATE_LIMIT",
        "TRUNKLINE_SEND_RETRY",
        "TRUNKLINE_TRUSTED_PROXIES",
        "TRUNKLINE_USAGE_SHAPE",
        "TRUNKLINE_WORKER_NAME",
    ];
    for blank in ["", " "] {
        let mut environment: Vec<_> = settings.iter().map(|name| (*name, blank)).collect();
        for command in [&["serve"][..], &["worker"], &["webhook", "rotate", "a"]] {
            environment.truncate(settings.len());
            run(&dir, command, &[&environment[..], &[("DATABASE_URL", blank)]].concat())
                .failed(2, "`DATABASE_URL` does as well");
            environment.push(("DATABASE_URL", "postgres://localhost:1/x"));
            run(&dir, command, &environment).failed(1, "there is no master key");
        }
        environment.push(("TRUNKLINE_MASTER_KEY", crate::production::MASTER_KEY));
        run(&dir, &["webhook", "show", "a"], &environment).failed(2, "TRUNKLINE_PUBLIC_URL");
        run(&dir, &["webhook", "rotate", "a"], &environment).failed(1, "the database is unavailable");
    }
}

#[test]
fn a_flag_wins_over_the_environment() {
    let dir = TestDir::new();
    let environment = [("DATABASE_URL", "nonsense"), ("TRUNKLINE_DATABASE_CONNECTIONS", "many")];
    let args = ["migrate", "--database-url", "postgres://localhost:1/x", "--database-connections", "2"];
    run(&dir, &args, &environment).failed(1, "the database is unavailable");
}

#[test]
fn dev_is_for_this_machine_alone() {
    let dir = TestDir::new();
    for address in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
        run(&dir, &["dev", "--listen", address], &[]).failed(1, "can be reached from other machines");
    }
    for address in ["8080", "localhost", "[::1]", "no-such-host.invalid:80"] {
        run(&dir, &["dev", "--listen", address], &[]).failed(1, "is no address of this machine");
    }
    assert!(!dir.data_dir().exists());
}
