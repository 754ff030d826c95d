-- Terms that few instances share, packed: a row of `search_values` and its entry in the index take 74 bytes, and here
-- one takes ten. A week after this, when servers and workers of the release before are gone, instances that start from
-- then on are written down here, and nothing is written to `search_values` any more; a search looks into both. Where
-- nothing has been written down yet, they are from the first one on.

create table search_buckets (
    bucket bigint not null,              -- the bits that its terms begin with, behind a one
    least int not null,                  -- the first second of the ids in it, less 2^31
    greatest int not null,               -- the last one
    entries bytea not null               -- store::search::entries
) partition by range (least);
alter table search_buckets alter column entries set storage plain;  -- nothing is left that could be compressed
create index search_buckets_found on search_buckets (bucket, least, greatest);  -- store::search

insert into search_marks (walk, mark) values ('buckets', ''), ('written', '');  -- store::search::merge_buckets
insert into search_marks (walk, mark)
select 'packed',
    case
        when mark = '' then mark
        else decode(lpad(to_hex(floor(extract(epoch from now()))::bigint + 604800), 8, '0') || repeat('0', 16), 'hex')
    end
from search_marks
where walk = 'values';
