-- Steps that act outside, of accounts whose concurrency is limited. A row counts while its job is leased to that
-- worker; what counts no more is removed by whoever counts next, so that no death leaves anything behind.

set local lock_timeout = '3s';

create table effects (
    instance_id bytea not null,
    n int not null,
    account_id text not null,
    definition_id uuid not null,
    worker bigint not null,
    primary key (instance_id, n)
);
create index effects_of_account on effects (account_id);       -- store::limits::ask_leave
