-- Re-runs of re-runs, one by one and in batches.

set local lock_timeout = '3s';

alter table reruns add column behind int[];    -- paths that began at an `If` behind its bodies; null: none
alter table batches add column again boolean not null default false;   -- also what was run again before
