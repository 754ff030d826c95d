-- The trigger `schedule`: when the newest versions of definitions start instances by the clock.

set local lock_timeout = '3s';

-- A row for each version with this trigger. `next_at` is the first time that was not dealt with; it is
-- null unless the version is the newest and enabled, and when the schedule has come to its end.
create table schedules (
    account_id text not null,
    definition_id uuid not null,
    version int not null,
    cron text not null,
    time_zone text not null,             -- as submitted: a Windows or IANA id
    missed text not null check (missed in ('skip', 'once', 'all')),
    next_at timestamptz,
    primary key (account_id, definition_id, version),
    foreign key (account_id, definition_id, version)
        references definition_versions (account_id, definition_id, version) on delete cascade
);
create unique index schedules_in_force on schedules (account_id, definition_id)
    where next_at is not null;
create index schedules_due on schedules (next_at)
    where next_at is not null;           -- store::schedules::start_scheduled
