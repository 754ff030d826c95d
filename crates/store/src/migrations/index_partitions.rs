//! Indexes of partitioned tables. No such index can be made concurrently, but those of its partitions can: a migration
//! makes it on the table alone, and what is left over is the partitions that were there before.

use sqlx::AssertSqlSafe;

use crate::{PgConnection, StoreError};

/// A partition that lacks an index of its table.
#[derive(sqlx::FromRow)]
struct Missing {
    index: String,
    partition: String,
    /// What the partition's own is called.
    name: String,
    /// From `using` on.
    how: String,
    is_unique: bool,
    /// Only to be attached: whoever reads the partition for long held that up.
    is_made: bool,
}

/// Makes what is missing while others read and write; what an interrupted build left behind is made anew. An index is
/// whole, and looked at no more, when its last partition has it.
pub(super) async fn index_partitions(connection: &mut PgConnection) -> Result<(), StoreError> {
    let missing: Vec<Missing> = sqlx::query_as(
        "select i.indexrelid::regclass::text as index, p.inhrelid::regclass::text as partition,
             quote_ident(left(t.relname || '_' || c.relname, 63)) as name,
             substring(pg_get_indexdef(i.indexrelid) from ' (USING .*)$') as how, i.indisunique as is_unique,
             exists (
                 select
                 from pg_index made
                 where made.indexrelid = to_regclass(quote_ident(left(t.relname || '_' || c.relname, 63)))
                     and made.indrelid = p.inhrelid and made.indisvalid
             ) as is_made
         from pg_index i
         join pg_class c on c.oid = i.indexrelid
         join pg_inherits p on p.inhparent = i.indrelid
         join pg_class t on t.oid = p.inhrelid
         where c.relkind = 'I' and not i.indisvalid and c.relnamespace = current_schema()::regnamespace
             and not exists (
                 select
                 from pg_inherits a
                 join pg_index of_partition on of_partition.indexrelid = a.inhrelid
                 where a.inhparent = i.indexrelid and of_partition.indrelid = p.inhrelid
             )
         order by 1, 2 desc",
    )
    .fetch_all(&mut *connection)
    .await?;
    for Missing { index, partition, name, how, is_unique, is_made } in missing {
        tracing::info!(partition, index, "a partition gets an index");
        let unique = if is_unique { "unique " } else { "" };
        // Each by itself: what is made concurrently is in no transaction.
        let statements = [
            format!("drop index concurrently if exists {name}"),
            format!("create {unique}index concurrently {name} on {partition} {how}"),
            format!(
                "begin; set local lock_timeout = '3s'; alter index {index} attach partition {name}; commit"
            ),
        ];
        for statement in statements.into_iter().skip(if is_made { 2 } else { 0 }) {
            if let Err(error) = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await {
                sqlx::raw_sql("rollback").execute(&mut *connection).await?;
                return Err(error.into());
            }
        }
    }
    Ok(())
}
