-- no-transaction
-- Instead of the primary key: a path is a number of a job, of which an instance has 10,000 at most, and in two bytes it
-- takes none of its own.
create unique index concurrently if not exists waits_of_path on waits (instance_id, (path::smallint));  -- store::waits::resume
