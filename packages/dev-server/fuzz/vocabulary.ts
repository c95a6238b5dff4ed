/** What fuzz requests are put together from: conditions, names and texts, good and bad. Pure. */

/** Conditions over `items`; `$1` stands for a parameter. */
export const conditions: ReadonlyArray<readonly [sql: string, ...params: ReadonlyArray<string>]> = [
  ["n > 3"],
  ["n = $1", "4"],
  ["title = $1", "it's"],
  ["title = $1 AND n < 5", "one"],
  ["done"],
  ["NOT done OR n IS NULL"],
  ["title LIKE '%o%'"],
  ["title ILIKE $1", "%N%"],
  ["u = '00000000-0000-4000-8000-000000000001'"],
  ["price > 1.25"],
  ["'a' = ANY(tags)"],
  ["tags @> $1", "{a}"],
  ["mood::text = 'calm'"],
  ["at > '2024-01-01T00:00:00Z'"],
  ["id IN (1, 2, 3, 40)"],
  ["id BETWEEN 5 AND 25"],
  ["coalesce(n, 0) + id > 20"],
  ["lower(title) = 'one'"],
  ["id IN (SELECT item_id FROM members WHERE user_id = 2)"],
  ["id NOT IN (SELECT item_id FROM members WHERE user_id = $1)", "3"],
  ["done OR id IN (SELECT item_id FROM members)"],
]

/** Clauses that must be refused, or survive as text only. */
export const broken = [
  "n = ",
  "n > 'x'",
  "1",
  "n",
  "now() > at",
  "exists (select 1)",
  "n = $3",
  "count(*) > 1",
  "true; drop table items",
  "true) or (true",
  "id in (select id from pg_class)",
  "n > 3 limit 1",
  "nope = 1",
  "items.n = 1",
  "n > 3 -- comment",
  "n > 3 /* open",
  "pg_sleep(5) is null",
  "current_setting('port') = '1'",
  "title = 'unclosed",
  "\u0000",
  "(".repeat(2_000),
  "n = 1 or ".repeat(900) + "true",
  "id = 99999999999999999999999999",
  "title = E'\\xff'",
  "doc ->> 'a' = 'x'",
  "price = 'NaN'",
  "at = 'infinity'",
  "tags[1] = 'a'",
]

export const oddTexts = [
  "",
  " ",
  "null",
  "%00",
  "é",
  "💥",
  "'",
  '"',
  "\\",
  "a".repeat(5_000),
  "-1",
  "true",
  "[]",
  "{}",
  "../..",
  "%",
  "$1",
]

export const tables = [
  "items",
  "public.items",
  "ITEMS",
  '"items"',
  "members",
  "keyless",
  '"Other"."odd ""name"',
  "Other.odd",
  "seen",
]

export const badTables = [
  "nope",
  "pg_class",
  "pg_catalog.pg_class",
  "information_schema.tables",
  "a.b.c",
  '"',
  '"a"b"',
  "items;",
  "items x",
]

export const offsets = [
  "-1",
  "-1",
  "-1",
  "now",
  "0_0",
  "0_1",
  "0_inf",
  "1_0",
  "99999999999999999999_5",
  "abc",
  "",
  "-2",
  "0",
  "0_-1",
]

export const columns = [
  "id",
  "id,title",
  "id,n,id",
  "title",
  "ID",
  '"id","title"',
  "id,",
  "id,nope",
  " id",
  "id,mood,doc",
]

export const orders = [
  "id",
  "n desc nulls last, id",
  "id; drop table items",
  "random()",
  "1",
  "title using <",
  "nope",
  "id asc,",
]

export const methods = ["POST", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE"]

export const paths = [
  "/v1/shape",
  "//v1/shape/",
  "/v1/%73hape",
  "/v1/shape/x",
  "/v1/health",
  "/",
  "/sql",
  "/faults",
  "/V1/shape",
  "/v1/%ff",
  "/v1/shape%2f",
]
