-- Lists of a version's instances go by a hash of definition and version: an entry with the columns themselves took more
-- than half of what the instance takes. Whoever asks says the hash and the columns. Those that were started in one
-- transaction share an entry, and are put in the order of their ids when they are read.
--
-- Partitions that are made from now on have it; those that are there get it while others write, by `migrate`, as soon as
-- this file is through (store::migrations). Servers of before list correctly meanwhile, and slowly.

set local lock_timeout = '3s';

-- First what needs the stronger lock.
drop index instances_listed;
create index instances_of_version on only instances (uuid_hash_extended(definition_id, version), started_at);  -- store::instances::list
