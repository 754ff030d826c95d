-- no-transaction
-- Waits by a hash of account and key, instead of both: whoever asks says the hash and the columns.
create index concurrently if not exists waits_of_key on waits (hashtextextended(key, hashtextextended(account_id, 0)))
    where key is not null;               -- store::events::find_waits
