//! What is stored, by table.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use crate::support::TestApp;

/// How many rows each table has.
pub async fn rows(app: &TestApp) -> BTreeMap<String, i64> {
    let counts: Vec<String> = sqlx::query_scalar(
        "select format('select %L::text, count(*) from %I', table_name, table_name)
         from information_schema.tables
         where table_schema = 'public' and table_type = 'BASE TABLE'",
    )
    .fetch_all(app.store().pool())
    .await
    .unwrap();
    let counts = sqlx::query_as(AssertSqlSafe(counts.join(" union all ")));
    let counts: Vec<(String, i64)> = counts.fetch_all(app.store().pool()).await.unwrap();
    counts.into_iter().collect()
}
