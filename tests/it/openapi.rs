//! The OpenAPI document, and that it tells of every route.

mod routes;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, sample};

/// Method, path and description of every operation.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let operations = item.as_object().unwrap().clone();
        let path = path.clone();
        operations
            .into_iter()
            .map(move |(method, operation)| (method.to_uppercase().parse().unwrap(), path.clone(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// Whether an API key is needed: the document's default, unless an operation says otherwise.
fn needs_key(operation: &Value) -> bool {
    operation.get("security").is_none()
}

async fn document(app: &TestApp) -> Value {
    Answer::of(app.request(Method::GET, "/openapi.json")).await.expect(200)
}

#[tokio::test]
async fn c_001_c_002_no_operation_is_reached_without_a_key_of_the_account() {
    let app = TestApp::start().await;
    let (_, foreign) = app.other_account("other").await;
    let mut tried = 0;
    for (method, path, operation) in operations(&document(&app).await) {
        if !needs_key(&operation) {
            continue;
        }
        let definition = app.define(sample::pong()).await;
        let instance = app.start_instance(&definition, json!({})).await;
        let path = path
            .replace("{accountId}", "acme")
            .replace("{definitionId}", &definition)
            .replace("{instanceId}", instance.rsplit('/').next().unwrap())
            .replace("{workflowId}", instance.rsplit('/').next().unwrap());
        let request = || app.request(method.clone(), &path);
        Answer::of(request()).await.expect_error(401, 1200);
        Answer::of(request().bearer_auth(&foreign)).await.expect_error(403, 1201);
        let shown = app.get(&format!("{instance}?includeLogs=true")).await.expect(200);
        assert_eq!((&shown["status"], &shown["version"]), (&"Runnable".into(), &1.into()));
        let reached = Answer::of(request().bearer_auth(app.key())).await;
        assert!(![401, 403, 404, 405].contains(&reached.status.as_u16()), "{method} {path} {reached:?}");
        tried += 1;
    }
    assert_eq!(tried, 34);
}

/// Served and not documented: the document itself and its page, and what some say in place of another path.
const UNDOCUMENTED: [(&str, &str); 6] = [
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/"),
    ("GET", "/docs/{*file}"),
    ("POST", "/api/v1/accounts/{accountId}/definition"),
    ("POST", "/beta/messages"),
];

#[tokio::test]
async fn the_document_tells_of_every_route_and_no_other() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut told = UNDOCUMENTED.map(|(method, path)| (method.to_owned(), path.to_owned())).to_vec();
    for (method, path, operation) in operations(&document) {
        assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
        told.push((method.to_string(), path));
    }
    let count = told.len();
    let told = BTreeSet::from_iter(told);
    assert_eq!(told.len(), count, "told twice");
    let routes = routes::routes();
    assert_eq!(&told - &routes, BTreeSet::new(), "told of and not there");
    assert_eq!(&routes - &told, BTreeSet::new(), "there and not told of");
}

#[tokio::test]
async fn a_documented_path_takes_the_documented_methods_and_no_others() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let at = path.replace("{accountId}", "acme");
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let documented = item.get(method.as_str().to_lowercase()).is_some();
            let answer = Answer::of(app.request(method.clone(), &at).bearer_auth(app.key())).await;
            assert_eq!(answer.status != 405, documented, "{method} {path} {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_document_describes_parameters_bodies_answers_and_errors() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(document["components"]["securitySchemes"]["bearerAuth"]["scheme"], "bearer");
    assert_eq!(document["security"], json!([{"bearerAuth": []}]));
    for (method, path, operation) in operations(&document) {
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let described: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(described, in_path, "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            if status.as_str() >= "400" {
                let is_nexmo = ["/v0.1/", "/beta/", "/v2/"].iter().any(|root| path.starts_with(root));
                let (content_type, schema) = if is_nexmo {
                    ("application/problem+json", "#/components/schemas/Problem")
                } else {
                    ("application/json", "#/components/schemas/Error")
                };
                let described = &response["content"][content_type]["schema"]["$ref"];
                assert_eq!(described, schema, "{method} {path} {status}");
            }
        }
        if needs_key(&operation) {
            assert!(
                ["401", "403", "429", "500", "503"].iter().all(|status| responses.contains_key(*status)),
                "{path}"
            );
        }
        if operation.get("requestBody").is_some() {
            assert!(
                ["408", "413", "415"].iter().all(|status| responses.contains_key(*status)),
                "{method} {path}"
            );
        }
    }
    // Whatever is referred to is there.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

/// What is accepted in other forms than the one that is given out must not be forbidden by the document.
#[tokio::test]
async fn the_document_allows_what_is_accepted() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let step = &document["components"]["schemas"]["Step"]["properties"];
    for (member, schema_type) in [
        ("inputs", "object"),
        ("outputs", "object"),
        ("selectNextStep", "object"),
        ("nextStepId", "string"),
        ("stepType", "string"),
    ] {
        assert_eq!(step[member]["type"], json!([schema_type, "null"]), "{member}");
    }
    assert!(step["stepType"].get("enum").is_none() && step["do"].get("type").is_none());
    let described = step["stepType"]["description"].as_str().unwrap();
    assert!(["`WaitForReply`", "`Goto`"].iter().all(|name| described.contains(name)), "{described}");
    let step = json!({"id": "a", "stepType": "goto", "inputs": null, "outputs": null, "do": null,
        "nextStepId": null, "selectNextStep": null});
    app.post("/definitions", sample::definition(json!([step]))).await.expect(201);

    let webhook = &document["paths"]["/webhooks/v1/accounts/{accountId}/messages"]["post"];
    assert_eq!(webhook["security"], json!([{"webhookAuthorization": []}]));
    let scheme = &document["components"]["securitySchemes"]["webhookAuthorization"];
    assert_eq!(
        (&scheme["type"], &scheme["in"], &scheme["name"]),
        (&"apiKey".into(), &"header".into(), &"Authorization".into())
    );
    assert!(webhook["parameters"].as_array().unwrap().iter().all(|parameter| parameter["in"] == "path"));
}

/// The answers have the members that the document promises.
#[tokio::test]
async fn answers_are_as_the_document_describes_them() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let id = app.define(sample::pong()).await;
    let instance = app.start_instance(&id, json!({})).await;
    let definition = app.get("/definitions").await.expect(200)[0].clone();
    let shown = app.get(&format!("{instance}?includeLogs=true")).await.expect(200);
    let error = app.get("/nothing").await.json();
    let usage = app.get("/usage").await.expect(200)[0].clone();
    let month = app.get("/usage/history").await.expect(200)[0].clone();
    let zone = app.get("/steps/timezones").await.expect(200)[0].clone();
    let function = app.get("/steps/functions").await.expect(200)[0].clone();
    for (schema, value) in [
        ("Definition", &definition),
        ("Blueprint", &definition["definition"]),
        ("Workflow", &shown),
        ("WorkflowLog", &shown["logs"][0]),
        ("Error", &error),
        ("Usage", &usage),
        ("UsageHistory", &month),
        ("TimeZone", &zone),
        ("Function", &function),
        ("FunctionParameter", &function["parameters"][0]),
    ] {
        let schema = &document["components"]["schemas"][schema];
        let described: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let there: BTreeSet<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(described, there);
        for required in schema["required"].as_array().unwrap() {
            assert!(value.get(required.as_str().unwrap()).is_some(), "{required}");
        }
    }
}

#[tokio::test]
async fn the_reference_page_is_served_from_the_binary() {
    let app = TestApp::start().await;
    let redirect = Answer::of(app.request(Method::GET, "/docs")).await;
    redirect.expect_status(308);
    assert_eq!(redirect.header("location"), Some("/docs/"));
    let page = Answer::of(app.request(Method::GET, "/docs/")).await;
    page.expect_status(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    for file in ["swagger-initializer.js", "swagger-ui-bundle.js", "swagger-ui.css"] {
        assert!(page.text.contains(file), "{file}");
        let file = Answer::of(app.request(Method::GET, &format!("/docs/{file}"))).await;
        file.expect_status(200);
    }
    let start = Answer::of(app.request(Method::GET, "/docs/swagger-initializer.js")).await;
    assert!(start.text.contains("/openapi.json"), "{}", start.text);
}
