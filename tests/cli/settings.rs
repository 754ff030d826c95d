//! What can be set is written in `--help`; what is set wrong is refused by name.

use crate::program::{TestDir, run};

#[test]
fn help_lists_every_setting_with_its_default() {
    let dir = TestDir::new();
    let of_all = [("TRUNKLINE_LOG", "info"), ("TRUNKLINE_LOG_FORMAT", "text")];
    let of_both =
        [("DATABASE_URL", ""), ("TRUNKLINE_DATABASE_CONNECTIONS", "16"), ("TRUNKLINE_GRACE_SECONDS", "20")];
    let of_serve = [("TRUNKLINE_LISTEN", "127.0.0.1:8080"), ("TRUNKLINE_WEBHOOK_SECRET", "none, ")];
    let of_worker = [
        ("TRUNKLINE_WORKER_NAME", "the machine's name and the process id"),
        ("TRUNKLINE_WORKER_SLOTS", "256"),
        ("TRUNKLINE_LEASE_SECONDS", "15"),
        ("TRUNKLINE_POLL_MILLISECONDS", "500"),
        ("TRUNKLINE_RETENTION_DAYS", "90"),
        ("TRUNKLINE_EVALUATORS", "one per processor core"),
        ("TRUNKLINE_SCRIPT_MILLISECONDS", "500"),
        ("TRUNKLINE_ALLOW_ADDRESSES", "none"),
        ("TRUNKLINE_SMS_URL", "https://sms.8x8.com"),
        ("TRUNKLINE_CHAT_APPS_URL", "https://chatapps.8x8.com"),
        ("TRUNKLINE_PROVIDER_API_KEY", ""),
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
    let names = ["DATABASE_URL", "TRUNKLINE_PROVIDER_API_KEY", "TRUNKLINE_WEBHOOK_SECRET"];
    let environment = names.map(|name| (name, "hush-hush"));
    for command in ["serve", "worker", "dev", "migrate"] {
        let help = run(&dir, &[command, "--help"], &environment).succeeded().stdout;
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
        ("serve", "TRUNKLINE_WEBHOOK_SECRET", ""),
        ("serve", "TRUNKLINE_DATABASE_CONNECTIONS", "0"),
        ("worker", "TRUNKLINE_WORKER_NAME", " "),
        ("worker", "TRUNKLINE_WORKER_SLOTS", "0"),
        ("worker", "TRUNKLINE_WORKER_SLOTS", "many"),
        ("worker", "TRUNKLINE_LEASE_SECONDS", "1"),
        ("worker", "TRUNKLINE_POLL_MILLISECONDS", "0"),
        ("worker", "TRUNKLINE_RETENTION_DAYS", "0"),
        ("worker", "TRUNKLINE_EVALUATORS", "0"),
        ("worker", "TRUNKLINE_SCRIPT_MILLISECONDS", "60001"),
        ("worker", "TRUNKLINE_ALLOW_ADDRESSES", "10.0.0.0/8,intranet"),
        ("worker", "TRUNKLINE_SMS_URL", "sms.8x8.com"),
        ("worker", "TRUNKLINE_CHAT_APPS_URL", "ftp://chatapps.8x8.com"),
        ("worker", "TRUNKLINE_PROVIDER_API_KEY", "hush\nhush"),
        ("migrate", "TRUNKLINE_LOG", "loud"),
        ("migrate", "TRUNKLINE_LOG_FORMAT", "xml"),
    ] {
        let ended = run(&dir, &[command], &[("DATABASE_URL", url), (name, value)]);
        assert!(!ended.stderr.contains("hush"), "a secret was shown: {ended:?}");
        let code = if name.contains("SECRET") || name.contains("KEY") { 1 } else { 2 };
        ended.failed(code, name);
    }
    run(&dir, &["worker", "--slots", "0"], &[("DATABASE_URL", url)]).failed(2, "'--slots <COUNT>'");
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
