-- What a request made that was no start.

set local lock_timeout = '3s';

alter table idempotency_keys add column batch uuid;   -- store::batches::create_batch
