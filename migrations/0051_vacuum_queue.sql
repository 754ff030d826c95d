-- A worker vacuums the queue (`vacuum_queue`), and PostgreSQL's own vacuum is the second. Under load that one waits for five
-- seconds, in vain, for a moment in which nobody uses the table, to make it shorter, and nobody else can vacuum meanwhile:
-- the worker does that when it is quiet.
set local lock_timeout = '3s';
alter table jobs set (autovacuum_vacuum_threshold = 25000, vacuum_truncate = off);
