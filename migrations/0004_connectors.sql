-- How an account reaches its providers, and how it knows their webhooks. What is sealed can be read with the
-- installation's master key only (store::sealing).

set local lock_timeout = '3s';

-- One row per provider, and one more for each subaccount that has a key of its own.
create table connectors (
    account_id text not null references accounts (id),
    kind text not null check (kind in ('8x8', 'converse')),
    subaccount_id text not null default '',  -- '': for every subaccount without a row of its own
    settings text not null,                  -- JSON that may be shown
    secret text,                             -- sealed
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    primary key (account_id, kind, subaccount_id)
);

-- No row: the account takes no webhooks.
create table webhook_settings (
    account_id text primary key references accounts (id),
    secret text not null,                    -- sealed; the whole `Authorization` value
    allowed text[] not null default '{}',    -- networks that webhooks may come from; empty: any
    changed_at timestamptz not null default now()
);
