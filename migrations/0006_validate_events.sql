-- The constraints that 0002 added, checked without keeping anybody out.

set local lock_timeout = '3s';

alter table definition_versions validate constraint definition_versions_trigger_check;
alter table waits validate constraint waits_kind_check;
alter table waits validate constraint waits_key_check;
alter table waits validate constraint waits_accepts_check;
