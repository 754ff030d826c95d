-- Workers vacuum the queue as they claim, and by then PostgreSQL's own vacuum is to be the second: it would wait for five
-- seconds for a moment in which nobody uses the table, to make it shorter, and nobody else can vacuum meanwhile.
set local lock_timeout = '3s';
alter table jobs set (autovacuum_vacuum_threshold = 250000);
