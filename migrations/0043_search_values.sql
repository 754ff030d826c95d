-- What instances are found by, in less room: an instance that waits has a row or two here for as long as it waits. A
-- term is a hash of the account, of what it is the value of, and of the value; whatever is found by it is looked at
-- again. `search_terms` and `search_open` hold what upkeep wrote before, and workers of the release before go on there:
-- each walks on its own mark, and a search looks into both.

-- Terms that few instances share: 16 bytes of columns, 8 of key.
create table search_values (
    term int not null,                   -- the upper half of it
    at int not null,                     -- the id's second, less 2^31: it orders as the id does
    rest bigint not null                 -- the id's other bytes, less 2^63
) partition by range (at);
create index search_values_found on search_values (term, at);  -- store::search

-- Terms that many instances share which started one after the other. What is written about a term here lies apart:
-- the last id of a row comes before the first one of the next.
create table search_groups (
    term bigint not null,
    first bytea not null,                -- the least of them
    ids bytea not null,                  -- 12 bytes each, in their order
    primary key (term, first)            -- store::search
) partition by range (first);

-- Instances that were unfinished when upkeep came by: their contexts change yet.
create table search_following (
    first bytea primary key,             -- the least of them
    seen bytea not null                  -- 16 bytes each, in their order: the id, and a hash of the context
);

insert into search_marks (walk, mark)
select 'values', mark from search_marks where walk = 'terms';
insert into search_marks (walk, mark) values ('following', '');
