-- no-transaction
-- What is due of an account: when more is due than is released at once, accounts take turns. Beside waits_due, which
-- knows what is due first; it costs a path that is parked one entry more.
create index concurrently if not exists waits_due_of_account on waits (account_id, due_at)
    where due_at is not null;            -- store::waits::release_due
