//! What an operator tells of the messaging platform, and what it is told of us.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use serde_json::{Value, json};

use crate::production::{MASTER_KEY, OTHER_KEY, postgres};
use crate::program::{Ended, TestDir, run, run_with_input};

/// Knows one key and one subaccount. Answers on a thread of its own: the program is waited for on the test's.
async fn platform() -> String {
    let answer = async |headers: HeaderMap, uri: axum::http::Uri| {
        let (status, body) = if headers["authorization"] != "Bearer hush-1" {
            (StatusCode::UNAUTHORIZED, json!({"code": 1200, "message": "No such key"}))
        } else if uri.path().starts_with("/voice/") {
            (StatusCode::OK, json!([]))
        } else {
            (StatusCode::NOT_FOUND, json!({"code": 1300, "message": "No such message"}))
        };
        (status, axum::Json(body))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_are_set_listed_tried_and_removed() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let trunkline = |args: &[&str]| run(&dir, args, &environment);
    let hides_secrets = |ended: Ended| {
        assert!(!ended.stdout.contains("hush") && !ended.stderr.contains("hush"), "{ended:?}");
        ended
    };
    trunkline(&["connector", "list", "acme"]).failed(1, "run `trunkline migrate`");
    trunkline(&["migrate"]).succeeded();
    trunkline(&["connector", "list", "acme"]).failed(1, "there is no account `acme`");
    trunkline(&["account", "create", "acme"]).succeeded();
    assert_eq!(trunkline(&["connector", "list", "acme"]).succeeded().stdout, "");

    let set = ["connector", "set", "acme", "8x8"];
    let with = |args: &[&'static str]| [&set[..], args].concat();
    run(&dir, &set, &environment).failed(1, "`standard input` is not usable");
    // Nor is a key of before sent elsewhere: it is named each time.
    trunkline(&with(&["--sms-url", "https://other.example"])).failed(1, "`standard input` is not usable");
    run_with_input(&dir, &set, &environment, "Bearer hush-1").failed(1, "without `Bearer`");
    trunkline(&with(&["--api-key", "hush"])).failed(2, "--api-key");
    trunkline(&with(&["--region", "mars"])).failed(2, "asia-pacific");
    trunkline(&with(&["--subaccount", "x"])).failed(2, "3 to 50");
    run_with_input(&dir, &["connector", "set", "nobody", "8x8"], &environment, "hush-1")
        .failed(1, "there is no account `nobody`");

    let first = run_with_input(&dir, &with(&["--region", "europe"]), &environment, "hush-0\n").succeeded();
    assert!(
        first.stderr.contains("the one of standard input") && first.stdout.contains(" https://sms.8x8.uk\n")
    );
    hides_secrets(first);
    let platform = platform().await;
    let urls = ["sms", "chat-apps", "voice"].map(|product| format!("--{product}-url={platform}/{product}"));
    let file = dir.path().join("api.key");
    std::fs::write(&file, "hush-1\n").unwrap();
    let own = [
        &set[..],
        &["--subaccount", "acme_shop", "--api-key-file", "api.key"],
        &urls.each_ref().map(String::as_str),
    ];
    hides_secrets(trunkline(&own.concat()).succeeded());
    std::fs::write(&file, "Basic hush-2").unwrap();
    let converse = ["connector", "set", "acme", "converse", "--url", "https://desk.example/in"];
    hides_secrets(trunkline(&[&converse[..], &["--authorization-file", "api.key"]].concat()).succeeded());
    let set_converse = |args: &[&'static str]| trunkline(&[&converse[..4], args].concat());
    let moved = set_converse(&["--url", "https://desk.example/out"]).succeeded();
    assert!(moved.stdout.contains("Authorization  sent\n"), "{moved:?}");
    // It is not sent to another server unless it is named for that.
    for elsewhere in ["https://other.example/in", "http://desk.example/in", "https://desk.example:8443/in"] {
        let refusal = format!("`{elsewhere}` is not on the server of before, `https://desk.example/out`");
        set_converse(&["--url", elsewhere]).failed(1, &refusal);
    }
    let bare = set_converse(&["--url", "https://other.example/in", "--afresh"]).succeeded();
    assert!(bare.stdout.contains("Authorization  none\n"), "{bare:?}");
    assert!(set_converse(&["--url", "https://desk.example/in"]).succeeded().stdout.contains("none\n"));
    let named =
        set_converse(&["--url", "http://desk.example/in", "--authorization-file", "api.key"]).succeeded();
    assert!(named.stdout.contains("Authorization  sent\n"), "{named:?}");
    assert!(named.stderr.contains("WARNING: `http://desk.example/in` is not https"), "{named:?}");
    let back =
        set_converse(&["--url", "https://desk.example/in", "--authorization-file", "api.key"]).succeeded();
    assert!(!hides_secrets(back).stderr.contains("WARNING"));

    let list = hides_secrets(trunkline(&["connector", "list", "acme"]).succeeded()).stdout;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 4, "{list}");
    assert!(lines[1].starts_with("8x8 ") && lines[1].contains("\"region\":\"europe\""), "{list}");
    assert!(lines[2].contains(" acme_shop ") && lines[2].contains("/chat-apps\""), "{list}");
    assert!(lines[3].starts_with("converse ") && lines[3].contains("https://desk.example/in"), "{list}");
    assert!(lines[1..].iter().all(|line| line.contains(" sha256:")), "{list}");

    let [database, _] = environment;
    let other = ("TRUNKLINE_MASTER_KEY", OTHER_KEY);
    for keys in [&[database][..], &[database, other]] {
        let unread = run(&dir, &["connector", "list", "acme"], keys).succeeded().stdout;
        assert_eq!(unread.matches(" sealed:").count(), 3, "{unread}");
    }
    run_with_input(&dir, &set, &[database, other], "hush-9").failed(1, "are sealed with master key `");

    let works = trunkline(&["connector", "test", "acme", "--subaccount", "acme_shop"]).succeeded();
    assert_eq!(works.stdout, "SMS: works\nchat apps: works\nvoice: works\n");
    let key = [("TRUNKLINE_PROVIDER_API_KEY", "hush-2")];
    let renewed = hides_secrets(run(&dir, &set, &[&environment[..], &key].concat()).succeeded());
    assert!(renewed.stderr.contains("the one of `TRUNKLINE_PROVIDER_API_KEY`"), "{renewed:?}");
    assert!(renewed.stdout.contains("europe\n  SMS        https://sms.8x8.uk\n"), "{renewed:?}");
    let wrong = [&set[..], &["--subaccount", "acme_shop"]].concat();
    let kept = run(&dir, &wrong, &[&environment[..], &key].concat()).succeeded();
    assert!(kept.stdout.contains(&format!("{platform}/sms\n")), "{kept:?}");
    assert!(!kept.stderr.contains("WARNING"), "the platform is on this machine: {kept:?}");
    let refused = trunkline(&["connector", "test", "acme", "--subaccount", "acme_shop"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.contains("SMS: the key is refused: No such key\n"), "{refused:?}");

    let afresh = run(&dir, &with(&["--afresh"]), &[&environment[..], &key].concat()).succeeded();
    assert!(afresh.stdout.contains("asia-pacific\n"), "{afresh:?}");

    let remove = ["connector", "remove", "acme", "8x8"];
    run(&dir, &remove, &[database]).succeeded();
    trunkline(&remove).failed(1, "account `acme` has no connector `8x8`: ");
    trunkline(&["connector", "test", "acme", "--subaccount", "other"])
        .failed(1, "has no connector `8x8` for subaccount `other`");
    trunkline(&[&remove[..], &["--subaccount", "acme_shop"]].concat()).succeeded();
    trunkline(&["connector", "remove", "acme", "fax"]).failed(2, "`8x8`, `converse` or `messages-api`");
    assert_eq!(trunkline(&["connector", "list", "acme"]).succeeded().stdout.lines().count(), 2);
    cluster.stop().await;
}

#[tokio::test]
async fn webhooks_are_shown_with_the_calls_that_register_them() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let trunkline = |args: &[&str]| run(&dir, args, &environment);
    trunkline(&["migrate"]).succeeded();
    let show = ["webhook", "show", "acme", "--url", "https://t.example/"];
    trunkline(&show).failed(1, "there is no account `acme`");
    trunkline(&["webhook", "rotate", "acme"]).failed(1, "there is no account `acme`");
    trunkline(&["webhook", "allow", "acme"]).failed(1, "there is no account `acme`");
    trunkline(&["account", "create", "acme"]).succeeded();
    assert!(trunkline(&["webhook", "allow", "acme"]).succeeded().stdout.contains("takes no webhooks yet"));
    trunkline(&show[..3]).failed(2, "TRUNKLINE_PUBLIC_URL");

    let shown = trunkline(&show).succeeded().stdout;
    let secret = |shown: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix("Authorization "));
        line.unwrap_or_else(|| panic!("no secret in {shown}")).trim().to_owned()
    };
    let first = secret(&shown);
    assert!(first.starts_with("Bearer trunkline_whk_"), "{shown}");
    for url in ["messages", "voice", "dtmf?token="] {
        assert!(shown.contains(&format!("https://t.example/webhooks/v1/accounts/acme/{url}")), "{shown}");
    }
    // The shell reads the calls as they stand, and nothing secret is in their command lines.
    let calls: Vec<&str> = shown.split("curl ").skip(1).collect();
    assert_eq!(calls.len(), 5, "{shown}");
    for call in calls {
        let script = format!(
            "API_KEY=k PLATFORM_ACCOUNT=a SUBACCOUNT=s; curl() {{ printf '%s\\n' \"$*\"; cat; }}\ncurl {call}"
        );
        let shell = std::process::Command::new("sh").args(["-e", "-c", &script]).output().unwrap();
        let said = String::from_utf8(shell.stdout).unwrap();
        let (words, config) = said.split_once('\n').unwrap();
        assert_eq!(words, "-sS --config -");
        let lines: Vec<&str> = config.lines().collect();
        let value = |name: &str| {
            let line = lines
                .iter()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'));
            line.unwrap_or_else(|| panic!("no {name} in {config}"))
        };
        let url = value("url");
        assert!(url.ends_with("/accounts/a/webhooks") || url.ends_with("/subaccounts/s/webhooks"), "{url}");
        assert!(lines.contains(&"header = \"Authorization: Bearer k\""), "{config}");
        let body = value("data").replace("\\\"", "\"");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body.to_string().contains(&first), "{body}");
    }
    let owned = [&show[..], &["--subaccount", "a&b.c"]].concat();
    assert!(trunkline(&owned).succeeded().stdout.contains("/subaccounts/a%26b.c/webhooks\"\n"));
    let public = [&environment[..], &[("TRUNKLINE_PUBLIC_URL", "https://t.example")]].concat();
    assert_eq!(run(&dir, &show[..3], &public).succeeded().stdout, shown);

    let rotated = trunkline(&["webhook", "rotate", "acme"]).succeeded();
    assert!(!rotated.stdout.contains("trunkline_whk"), "{rotated:?}");
    let (_, until) = rotated.stdout.split_once("\nThe one of before is taken until ").unwrap();
    let until = until.lines().next().unwrap();
    assert!(until.ends_with(" UTC."), "{rotated:?}");
    let again = trunkline(&["webhook", "rotate", "acme"]).succeeded().stdout;
    let kept = format!(
        "before the first is taken until {}, as was said then; the one in between is refused",
        &until[..until.len() - 1]
    );
    assert!(again.contains(&kept), "no `{kept}` in {again}");
    assert!(trunkline(&["webhook", "rotate", "acme", "--at-once"]).succeeded().stdout.contains("is refused"));
    assert_ne!(secret(&trunkline(&show).succeeded().stdout), first);

    let allow = |args: &[&'static str]| trunkline(&[&["webhook", "allow", "acme"], args].concat());
    assert!(allow(&[]).succeeded().stdout.contains("from anywhere"));
    assert!(
        allow(&["--addresses", "203.0.113.0/24,::1"])
            .succeeded()
            .stdout
            .contains("\n  203.0.113.0/24\n  ::1")
    );
    assert!(allow(&[]).succeeded().stdout.contains("203.0.113.0/24"));
    assert_eq!(allow(&["--platform"]).succeeded().stdout.lines().count(), 15);
    assert_eq!(allow(&["--platform", "--region", "europe"]).succeeded().stdout.lines().count(), 5);
    allow(&["--addresses", ""]).failed(2, "--anyone");
    allow(&["--region", "europe"]).failed(2, "--platform");
    allow(&["--platform", "--anyone"]).failed(2, "--anyone");
    assert!(allow(&["--anyone"]).succeeded().stdout.contains("from anywhere"));
    cluster.stop().await;
}

#[tokio::test]
async fn the_messages_api_keeps_what_is_not_named_again() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let trunkline = |args: &[&str]| run(&dir, args, &environment);
    trunkline(&["migrate"]).succeeded();
    trunkline(&["account", "create", "acme"]).succeeded();
    let show = || trunkline(&["webhook", "show", "acme", "--url", "https://t.example"]).succeeded().stdout;
    assert!(!show().contains("message-status"), "nobody uses that API");
    for (file, text) in [("secret", "hush-1\n"), ("signature", "hush-2\n"), ("blank", " \n")] {
        std::fs::write(dir.path().join(file), text).unwrap();
    }
    let set =
        ["connector", "set", "acme", "messages-api", "--api-key", "abcd1234", "--secret-file", "secret"];
    let with = |args: &[&'static str]| trunkline(&[&set[..], args].concat());
    let set_again = |args: &[&'static str]| {
        let ended = with(args).succeeded();
        assert!(!ended.stdout.contains("hush") && !ended.stderr.contains("hush"), "{ended:?}");
        ended.stdout
    };

    let first = set_again(&[]);
    for line in [
        "  messages  https://api.nexmo.com/v0.1/messages\n",
        "  SMS       the same\n",
        "  webhooks  not signed\n",
    ] {
        assert!(first.contains(line), "{first}");
    }
    let urls = ["message-status", "inbound-message"]
        .map(|webhook| format!(" https://t.example/webhooks/v1/accounts/acme/{webhook}"));
    let shown = show();
    assert!(urls.iter().all(|url| shown.contains(&format!("{url}?token="))), "{shown}");

    with(&["--sms-route", "fax"]).failed(2, "messages-api, 8x8");
    with(&["--sms-route", "8x8"]).failed(1, "--sms-subaccount");
    with(&["--signature-secret-file", "blank"]).failed(1, "--signature-secret-file");
    let told = ["--sms-route", "8x8", "--sms-subaccount", "acme_sms", "--signature-secret-file", "signature"];
    let told =
        set_again(&[&told[..], &["--base-url", "https://a.example/x", "--api-version", "v1"]].concat());
    let kept = set_again(&[]);
    for text in [told, kept] {
        for line in [
            "  messages  https://a.example/x/v1/messages\n",
            "  SMS       by connector `8x8`, subaccount `acme_sms`\n",
            "  webhooks  signed by the provider\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
    let shown = show();
    assert!(urls.iter().all(|url| shown.contains(&format!("{url}\n"))), "{shown}");
    let listed = trunkline(&["connector", "list", "acme"]).succeeded().stdout;
    assert_eq!((listed.matches(" sha256:").count(), listed.contains("hush")), (2, false), "{listed}");

    let own = set_again(&["--sms-route", "messages-api"]);
    assert!(own.contains("SMS       the same\n") && own.contains("signed by the provider"), "{own}");
    assert_eq!(set_again(&["--afresh"]), first);
    cluster.stop().await;
}
