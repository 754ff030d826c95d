//! How often an API key may call.

use std::num::NonZeroU32;

use futures::future::join_all;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use trunkline::api::ApiConfig;

use crate::nexmo::site::{Site, basic, claims, expect_accepted, expect_problem, keys, token};
use crate::support::Answer;

#[tokio::test]
async fn n_082_one_key_has_thirty_requests_a_second_over_all_paths() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let [key, _] = keys().await;
    let bearer = token(key, &claims(site.new_application(key).await, json!({})));
    expect_accepted(&site.call(&secret).await);
    expect_accepted(&site.call(&bearer).await);
    let call = |number: usize| {
        let path = if number.is_multiple_of(2) { "/v0.1/dispatch" } else { "/beta/workflows" };
        let request = site.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body("{}");
        Answer::of(request.header(AUTHORIZATION, &secret))
    };
    let answers = join_all((0..100).map(call)).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(refused.len() + accepted, 100);
    assert!(accepted >= 20, "{accepted}");
    let problem = expect_problem(refused[0], 429, "api-errors/messages-olympus#1000");
    assert_eq!(problem["title"], "Rate Limit Hit");
    assert!(refused[0].header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}

#[tokio::test]
async fn the_limit_is_a_keys_own_and_takes_nothing_from_strangers() {
    let config = ApiConfig { nexmo_rate: NonZeroU32::new(1), ..ApiConfig::default() };
    let site = Site::start_with(config).await;
    let (_, secret) = site.new_secret().await;
    let other = site.other_account("other", "ffffffff").await;
    // Nobody uses up another's requests without its secret.
    for _ in 0..5 {
        expect_problem(&site.call(&basic("ab001f09", "wrong")).await, 401, "#unauthorized");
    }
    let answers =
        join_all([site.call(&secret), site.call(&secret), site.call(&secret), site.call(&other)]).await;
    assert!(answers[..3].iter().any(|answer| answer.status == 429), "{answers:?}");
    expect_accepted(&answers[3]);
    // Before the body is looked at.
    let bodies = (0..4).map(|_| {
        let request = site.request(Method::POST, "/v0.1/dispatch").header(CONTENT_TYPE, "text/xml").body("<");
        Answer::of(request.header(AUTHORIZATION, &secret))
    });
    assert!(join_all(bodies).await.iter().any(|answer| answer.status == 429));
}
