//! What goes wrong before a request is understood, and in which order it is found.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;

use crate::nexmo::site::{Site, basic, expect_accepted, expect_problem};
use crate::support::{Answer, TestApp};

#[tokio::test]
async fn n_002_n_003_n_004_a_path_is_the_same_with_a_slash_and_any_query() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    for path in [
        "/v0.1/dispatch",
        "/v0.1/dispatch?",
        "/v0.1/dispatch??timestamp=1&sig=x",
        "/v0.1/dispatch/",
        "/v0.1/dispatch/?%zz",
        "/beta/workflows?",
    ] {
        let request = site.request(Method::POST, path).header(AUTHORIZATION, &secret).body("{}");
        let answer = Answer::of(request).await;
        expect_accepted(&answer);
        assert_eq!(answer.header("x-nexmo-trace-id").unwrap().len(), 32, "{path}");
    }
}

#[tokio::test]
async fn n_006_another_method_is_a_problem_that_names_the_right_one() {
    let site = Site::start().await;
    for path in ["/v0.1/dispatch", "/v0.1/dispatch/", "/beta/workflows"] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = Answer::of(site.request(method, path)).await;
            let problem = expect_problem(&answer, 405, "#wrong-verb");
            assert_eq!(problem["title"], "Request method not allowed");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }
}

#[tokio::test]
async fn n_008_unknown_paths_of_this_api_are_problems_and_those_of_the_other_are_not() {
    let app = TestApp::start().await;
    for path in ["/v0.1/nothing", "/v0.1", "/beta/dispatch", "/v2/nothing"] {
        for method in [Method::GET, Method::POST] {
            let answer = Answer::of(app.request(method, path)).await;
            let problem = expect_problem(&answer, 404, "https://developer.nexmo.com/api-errors#not-found");
            assert_eq!(problem["title"], "Not Found");
        }
    }
    let answer = Answer::of(app.request(Method::PATCH, "/v2/applications")).await;
    expect_problem(&answer, 405, "#wrong-verb");
    let allowed = answer.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    for path in ["/nothing", "/v1/messages", "/api/v1/accounts/acme/nothing"] {
        Answer::of(app.request(Method::GET, path)).await.expect_error(404, 1300);
    }
    Answer::of(app.request(Method::PATCH, "/api/v1/accounts/acme/definitions")).await.expect_error(405, 1000);
}

#[tokio::test]
async fn n_009_n_010_a_body_is_named_json_or_not_at_all() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    for (content_type, accepted) in [
        (Some("application/json"), true),
        (Some("application/json; charset=utf-8"), true),
        (Some("Application/JSON"), true),
        (None, true),
        (Some("application/x-www-form-urlencoded"), false),
        (Some("text/plain"), false),
        (Some(""), false),
    ] {
        for body in ["{}", "{"] {
            let request =
                site.request(Method::POST, "/v0.1/dispatch").header(AUTHORIZATION, &secret).body(body);
            let request = match content_type {
                Some(content_type) => request.header(CONTENT_TYPE, content_type),
                None => request,
            };
            let answer = Answer::of(request).await;
            match (accepted, body) {
                (false, _) => drop(expect_problem(&answer, 415, "#content-type-header")),
                (true, "{}") => drop(expect_accepted(&answer)),
                (true, _) => drop(expect_problem(&answer, 400, "#invalid-json")),
            }
        }
    }
}

#[tokio::test]
async fn n_012_a_body_is_a_json_object_of_at_most_a_mebibyte() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let send =
        async |body: String| Answer::of(site.dispatch().header(AUTHORIZATION, &secret).body(body)).await;
    for body in ["", "{\"template\": \"failover\"", "[{}]", "null", "{\"a\": \"\\u0000\"}"] {
        let problem = expect_problem(&send(body.to_owned()).await, 400, "#invalid-json");
        assert_eq!(problem["title"], "The request body did not contain valid JSON", "{body}");
    }
    let told = expect_accepted(&send(r#"{"text": "größer 🙂", "text": "kleiner 🙂"}"#.to_owned()).await);
    assert_eq!(told["body"], json!({"text": "kleiner 🙂"}));
    for bytes in [1 << 20, 960 << 10] {
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(bytes));
        let problem = expect_problem(&send(large).await, 413, "#invalid-json");
        assert_eq!(problem["title"], "Request body too large");
    }
}

/// Path, method, caller, content type, JSON.
#[tokio::test]
async fn n_011_of_several_mistakes_the_first_is_told() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let send = async |method: Method, authorization: &str, content_type: &str| {
        let request = site.request(method, "/v0.1/dispatch").header(AUTHORIZATION, authorization);
        Answer::of(request.header(CONTENT_TYPE, content_type).body("[")).await
    };
    let wrong = basic("x", "y");
    expect_problem(&send(Method::PUT, &wrong, "text/plain").await, 405, "#wrong-verb");
    expect_problem(&send(Method::POST, &wrong, "text/plain").await, 401, "#unauthorized");
    expect_problem(&send(Method::POST, &secret, "text/plain").await, 415, "#content-type-header");
    expect_problem(&send(Method::POST, &secret, "application/json").await, 400, "#invalid-json");
}

#[tokio::test]
async fn defects_and_outages_are_problems_that_say_nothing_about_us() {
    let site = Site::start().await;
    let panicked = Answer::of(site.request(Method::GET, "/v0.1/panic")).await;
    let problem = expect_problem(&panicked, 500, "messages-olympus#1030");
    assert_eq!(problem["title"], "Internal error");
    assert!(!panicked.text.contains("row 7"));
    site.app.store().close().await;
    let answer = site.call(&basic("ab001f09", "x")).await;
    let problem = expect_problem(&answer, 503, "messages-olympus#1030");
    assert_eq!((&problem["title"], answer.header("retry-after")), (&json!("Service unavailable"), Some("1")));
}
