//! Members that are the server's to set, in every body: nobody's row becomes somebody else's, older, or another
//! version because a client says so.

use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::world::{Callers, Operation, World};
use crate::support::Answer;

const TEXT: &str = "mass-assigned";
const ID: &str = "6d617373-2d61-4451-a769-676e65642121";
const INSTANCE: &str = "6d6173732d61737369676e65";
const TIME: &str = "2001-02-03T04:05:06.00Z";
const NUMBER: i32 = 4_711_174;

/// What a client must not be able to say, in both spellings of names.
fn claimed() -> Vec<(String, Value)> {
    let mut claimed: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, value: Value| {
        claimed.push((name.to_owned(), value.clone()));
        let snake: String = name
            .chars()
            .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        if snake != name {
            claimed.push((snake, value));
        }
    };
    for name in
        ["accountId", "account", "apiKey", "owner", "tenant", "actor", "by", "worker", "origin", "rerunOf"]
    {
        add(name, json!(TEXT));
    }
    for name in
        ["id", "definitionId", "batchId", "applicationId", "dispatchUuid", "messageUuid", "uuid", "dedupeKey"]
    {
        add(name, json!(ID));
    }
    for name in ["instanceId", "workflowId", "rerun_of"] {
        add(name, json!(INSTANCE));
    }
    for name in
        ["createdAt", "startedAt", "completedAt", "updatedAt", "endedAt", "readyAt", "expiresAt", "lostAt"]
    {
        add(name, json!(TIME));
    }
    for name in
        ["newestVersion", "issued", "attempt", "done", "total", "failed", "skipped", "quota", "executed", "n"]
    {
        add(name, json!(NUMBER));
    }
    for name in ["scope", "scopes", "role", "roles", "standing", "state"] {
        add(name, json!("admin"));
    }
    for name in ["admin", "isAdmin", "newest", "held", "alone", "suspended", "own"] {
        add(name, json!(true));
    }
    claimed
}

async fn send(world: &World, operation: &Operation, body: &Value) -> Answer {
    let request = world.app.request(operation.method.clone(), &world.own.path(operation)).json(body);
    Answer::of(request.header(AUTHORIZATION, world.own.authorization(operation))).await
}

/// Columns whose value would be the client's word. What instances know, and what is shown as it came, may say
/// anything.
async fn believed(world: &World) -> Vec<String> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "select c.table_name, c.column_name, c.udt_name
         from information_schema.columns c
         join information_schema.tables t using (table_schema, table_name)
         where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
             and c.udt_name in ('text', 'varchar', 'uuid', 'bytea', 'timestamptz', 'int4', 'int8')",
    )
    .fetch_all(world.app.store().pool())
    .await
    .unwrap();
    let mut believed = Vec::new();
    for (table, column, kind) in columns {
        let condition = match kind.as_str() {
            "uuid" => format!("{column} = '{ID}'"),
            "bytea" => format!("{column} = decode('{INSTANCE}', 'hex')"),
            "timestamptz" => format!("{column} between '2001-01-01' and '2002-01-01'"),
            "int4" | "int8" => format!("{column} = {NUMBER}"),
            _ => format!("{column}::text in ('{TEXT}', 'admin')"),
        };
        let statement = format!("select count(*) from {table} where {condition}");
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(world.app.store().pool()).await.unwrap();
        if count > 0 {
            believed.push(format!("{table}.{column}: {count}"));
        }
    }
    believed
}

#[tokio::test]
async fn what_the_server_sets_no_client_sets() {
    let world = World::build().await;
    // The account's keys are made with every scope; nothing else is called like one.
    assert_eq!(believed(&world).await.iter().filter(|found| !found.starts_with("api_keys.scope")).count(), 0);
    let mut tried = 0;
    for operation in world.operations(|callers| callers != Callers::Anybody) {
        let Some(good) = operation.good_body() else { continue };
        let plain = send(&world, operation, &good).await;
        assert!(plain.status.is_success(), "{} {plain:?}", operation.id);
        let mut bodies = Vec::new();
        let mut all = good.clone();
        for (name, value) in claimed() {
            // What is meant to be said is another test's.
            if good.get(&name).is_none() && !is_described(&world, operation, &name) {
                let mut body = good.clone();
                body[&name] = value.clone();
                all[&name] = value;
                bodies.push(body);
            }
        }
        bodies.push(all);
        for body in bodies {
            let answer = send(&world, operation, &body).await;
            tried += 1;
            if operation.id == "create-batch" {
                // Here it is refused, because a filter with a misspelled member would find more.
                assert_eq!(answer.status, 400, "{} {body}", operation.id);
                continue;
            }
            let repeated =
                ["patch-workflow-instance", "patch-batch", "rerun-instance"].contains(&operation.id.as_str());
            assert!(
                answer.status.is_success() || repeated || answer.status == 400,
                "{} {body} {answer:?}",
                operation.id
            );
            if let Ok(shown) = serde_json::from_str::<Value>(&answer.text) {
                expect_ours(&world, operation, &shown, &body);
            }
        }
    }
    assert!(tried > 500, "{tried}");
    let believed: Vec<String> =
        believed(&world).await.into_iter().filter(|found| !found.starts_with("api_keys.scope")).collect();
    assert!(believed.is_empty(), "{believed:?}");
    assert!(world.app.store().verify().await.unwrap().is_empty());
    // Everything is still where it was.
    for operation in world.operations(|callers| callers == Callers::Key).filter(|one| one.changes_nothing()) {
        let nobodys = operation.template.replace("{accountId}", TEXT);
        if operation.ids().is_empty() {
            assert_eq!(world.call(operation, &nobodys, &world.own.key).await.status, 403);
        }
    }
}

/// Whether the document has such a member.
fn is_described(world: &World, operation: &Operation, name: &str) -> bool {
    let content = &operation.described["requestBody"]["content"]["application/json"]["schema"];
    let schema =
        content["$ref"].as_str().and_then(|at| world.document.pointer(at.strip_prefix('#').unwrap()));
    schema.unwrap_or(content)["properties"].get(name).is_some()
}

/// What the document says that the server answers is the server's. Members that it does not know are shown again as
/// they came.
#[track_caller]
fn expect_ours(world: &World, operation: &Operation, shown: &Value, sent: &Value) {
    let good = operation.good_body().unwrap();
    for name in answered(world, operation) {
        let Some(value) = shown.get(&name).filter(|value| !value.is_null()) else { continue };
        let is_asked_for = good.get(&name).is_some() || is_described(world, operation, &name);
        assert!(is_asked_for || sent.get(&name) != Some(value), "{} took `{name}` {value}", operation.id);
    }
    if let Some(account) = shown.get("accountId") {
        assert_eq!(account, "acme", "{}", operation.id);
    }
}

/// The members of a good answer.
fn answered(world: &World, operation: &Operation) -> Vec<String> {
    let good = operation.described["responses"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(status, _)| status.starts_with('2'));
    let schema = &good.unwrap().1["content"]["application/json"]["schema"];
    let referred =
        schema["$ref"].as_str().and_then(|at| world.document.pointer(at.strip_prefix('#').unwrap()));
    let members = referred.unwrap_or(schema)["properties"].as_object();
    members.into_iter().flat_map(|members| members.keys().cloned()).collect()
}
