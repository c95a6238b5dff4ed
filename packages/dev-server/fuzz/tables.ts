/** The tables fuzz requests are made against, and the writes that happen between them. Pure. */
import type { Seeded } from "@espalier/engine/testing"

export const schema = `
  create schema "Other";
  create type mood as enum ('calm', 'odd one');
  create table items (id int primary key, title text not null, n int, done bool, u uuid, price numeric(8, 2), at timestamptz,
    tags text[], doc jsonb, mood mood);
  create table members (user_id int, item_id int, primary key (user_id, item_id));
  create table "Other"."odd ""name" ("Key" text primary key, "a/b" int);
  create table keyless (a int, b text);
  create view seen as select id from items;
  insert into items select g, (array['one', 'it''s', '', E'back\\\\slash', 'Ünï'])[g % 5 + 1], nullif(g % 13 - 3, 9),
    (array[true, false, null])[g % 3 + 1], case when g % 4 = 0 then '00000000-0000-4000-8000-000000000001'::uuid end,
    case when g % 2 = 0 then g - 7.25 end, case when g % 5 > 0 then timestamptz '2024-01-01Z' + (g - 20) * interval '1 day' end,
    case when g % 3 = 0 then '{a,NULL,"b c"}'::text[] end, case when g % 6 = 0 then '{"a": [1, "x"]}'::jsonb end,
    case when g % 2 = 1 then 'calm'::mood end from generate_series(1, 40) g;
  insert into members select g % 5, g from generate_series(1, 30) g;
  insert into "Other"."odd ""name" values ('x/y', 1), ('"', null);
  insert into keyless values (1, 'x'), (1, 'x'), (null, null);`

const texts = ["'one'", "'it''s'", "''", "E'back\\\\slash'", "'Ünï'"]

/** A write to one of the tables. */
export const someWrite = (rng: Seeded): string => {
  const id = rng.between(1, 60)
  const values = [
    id,
    rng.pick(texts),
    rng.pick(["null", String(rng.between(-3, 9))]),
    rng.pick(["true", "false", "null"]),
    rng.pick(["null", "'00000000-0000-4000-8000-000000000001'"]),
    rng.pick(["null", "1.50", "-3"]),
    rng.pick(["null", "'2024-05-01T10:00:00Z'"]),
    rng.pick(["null", "'{a,NULL,\"b c\"}'", "'{}'"]),
    rng.pick(["null", `'{"a": [1, "x"]}'`]),
    rng.pick(["null", "'calm'", "'odd one'"]),
  ]
  return rng.pick([
    `insert into items values (${values.join()}) on conflict (id) do update set n = excluded.n, title = excluded.title`,
    `insert into items values (${values.join()}) on conflict do nothing`,
    `update items set done = not done where id > ${id}`,
    `update items set id = ${rng.between(61, 99)} where id = ${id} and not exists (select from items where id > 60)`,
    `delete from items where id = ${id}`,
    `insert into members values (${rng.between(0, 5)}, ${id}) on conflict do nothing`,
    `delete from members where item_id = ${id}`,
    `update keyless set a = ${rng.between(0, 3)}`,
  ])
}
