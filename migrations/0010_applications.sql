-- Who may call the Workflows and Messages API: accounts with an API key and its secrets, and applications with an
-- RSA key.

set local lock_timeout = '3s';

-- What an account is to that API. No row: it has no API key there.
create table nexmo_accounts (
    account_id text primary key references accounts (id),
    api_key text not null unique check (api_key <> ''),    -- nexmo_secrets::find_key_holder
    signature_secret text,                                 -- sealed; null: callbacks are not signed
    status_url text,
    inbound_url text,
    suspended boolean not null default false,
    created_at timestamptz not null default now()
);

create table nexmo_secrets (
    id uuid primary key,
    account_id text not null references nexmo_accounts (account_id),
    slot smallint not null check (slot in (1, 2)),
    prefix text not null,                                  -- what a list shows
    hash bytea not null check (length(hash) = 32),         -- SHA-256
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);

-- No more than two are in force: nexmo_secrets::add_secret, find_key_holder.
create unique index nexmo_secrets_in_force on nexmo_secrets (account_id, slot) where revoked_at is null;

create table applications (
    id uuid primary key,                                   -- applications::find_application_key
    account_id text not null references nexmo_accounts (account_id),
    name text not null,
    public_key text not null,                              -- PEM, SubjectPublicKeyInfo
    status_url text,                                       -- null: the account's
    inbound_url text,                                      -- null: the account's
    suspended boolean not null default false,
    created_at timestamptz not null default now(),
    key_changed_at timestamptz not null default now()
);

-- applications::list_applications
create index applications_of_account on applications (account_id, created_at, id);
