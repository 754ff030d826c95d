-- The trace that an instance was started under, as the value of a `traceparent` header; its steps go on with it.
set local lock_timeout = '3s';
alter table instances add column trace text;
