create table lists (id uuid primary key, name text not null);
create table notes (id uuid primary key, list_id uuid not null references lists (id), title text not null, position int4 not null);
insert into lists values
  ('00000000-0000-4000-8000-0000000000a1', 'Garden'),
  ('00000000-0000-4000-8000-0000000000a2', 'Many');
insert into notes values
  ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000a1', 'Prune the pear', 1),
  ('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000a1', 'Tie the branches', 2);
insert into notes
  select ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, '00000000-0000-4000-8000-0000000000a2', 'Note ' || n, n
  from generate_series(1, 10000) n;
