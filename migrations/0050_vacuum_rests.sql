-- While somebody holds a snapshot, dead rows stay, and every few seconds autovacuum goes over all of them in vain. With
-- rests that takes a few hundredths of a core; while nobody does, these tables are small, or little of them is dead. The
-- partitions of `instances` that are made from now on rest, too.
set local lock_timeout = '3s';
alter table jobs set (autovacuum_vacuum_cost_delay = 20);
alter table waits set (autovacuum_vacuum_cost_delay = 20);
