-- no-transaction
create index concurrently if not exists callbacks_of_account on callbacks (account_id, due_at, (answer is null))
    where due_at is not null;            -- store::callbacks::claim_callbacks
