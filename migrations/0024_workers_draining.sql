-- Workers that are to take nothing more, and when each last renewed its lease.

set local lock_timeout = '3s';

alter table workers
    add column draining boolean not null default false,
    add column renewed_at timestamptz;   -- null: never, or by a worker of before
