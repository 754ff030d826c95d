-- Who may do what, until when, and who did what.

set local lock_timeout = '3s';

alter table api_keys
    add column scope text not null default 'admin',
    add column expires_at timestamptz,   -- null: never
    add constraint api_keys_scope_check check (scope in ('viewer', 'operator', 'author', 'admin')) not valid;

create table audit (
    id bigint generated always as identity primary key,
    account_id text not null references accounts (id),
    at timestamptz not null default now(),
    actor_kind text not null check (actor_kind in ('key', 'application', 'api-key', 'command-line', 'trunkline')),
    actor_id text,
    actor_name text,
    action text not null,                -- instance.terminate
    object text not null,                -- what it was done to: the id of the instance
    reason text,
    detail text                          -- JSON
);
create index audit_of_account on audit (account_id, id);             -- store::audit::list_audit
create index audit_of_object on audit (account_id, object, id);      -- store::audit::list_audit, store::explain

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is only appended to';
end
$$;
create trigger audit_is_appended_to before update or delete or truncate on audit
    for each statement execute function refuse_change();
