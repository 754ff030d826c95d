-- Which master key is the right one, and webhook secrets on their way out.

set local lock_timeout = '3s';

-- One sealed text, from the first process that had a key: whoever cannot open it has the wrong one
-- (store::check_master_key).
create table master_key_check (
    is_only boolean primary key default true check (is_only),
    sealed text not null
);

-- The secret before this one, taken as well until the platform was told the new one.
alter table webhook_settings
    add column previous_secret text,         -- sealed
    add column previous_until timestamptz,
    add constraint webhook_settings_previous_check
        check ((previous_secret is null) = (previous_until is null));
