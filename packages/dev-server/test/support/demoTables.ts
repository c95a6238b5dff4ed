/** The tables of the demo graph and a few people, as the page server would create them. */

export const ids = {
  ada: "00000000-0000-4000-8000-000000000001",
  ben: "00000000-0000-4000-8000-000000000002",
  acme: "00000000-0000-4000-8000-0000000000a1",
  blue: "00000000-0000-4000-8000-0000000000a2",
  acmeDesk: "00000000-0000-4000-8000-0000000000b1",
  blueDesk: "00000000-0000-4000-8000-0000000000b2",
  folderA: "00000000-0000-4000-8000-0000000000c1",
  folderB: "00000000-0000-4000-8000-0000000000c2",
  adaInAcme: "00000000-0000-4000-8000-0000000000d1",
  benInBlue: "00000000-0000-4000-8000-0000000000d2",
} as const

export const demoTables = `
  create table users (id uuid primary key, email text not null, name text not null, avatar_url text,
    preferences jsonb not null default '{}', last_login_at timestamptz, is_active boolean not null default true,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now());
  create table companies (id uuid primary key, name text not null, slug text not null unique, owner_id uuid not null references users,
    settings jsonb not null default '{}', deleted_at timestamptz,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now());
  create table company_members (id uuid primary key default gen_random_uuid(), company_id uuid not null references companies on delete cascade,
    user_id uuid not null references users on delete cascade, role text not null default 'member',
    created_at timestamptz not null default now(), updated_at timestamptz not null default now());
  create table workspaces (id uuid primary key default gen_random_uuid(), company_id uuid not null references companies on delete cascade,
    name text not null, description text, created_at timestamptz not null default now(), updated_at timestamptz not null default now());
  create table folders (id uuid primary key default gen_random_uuid(), workspace_id uuid not null references workspaces on delete cascade,
    name text not null, position int4 not null default 0,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now());`

export const demoRows = `
  insert into users (id, email, name) values ('${ids.ada}', 'ada@example.com', 'Ada'), ('${ids.ben}', 'ben@example.com', 'Ben');
  insert into companies (id, name, slug, owner_id) values ('${ids.acme}', 'Acme', 'acme', '${ids.ada}'), ('${ids.blue}', 'Blue', 'blue', '${ids.ben}');
  insert into company_members (id, company_id, user_id) values ('${ids.adaInAcme}', '${ids.acme}', '${ids.ada}'), ('${ids.benInBlue}', '${ids.blue}', '${ids.ben}');
  insert into workspaces (id, company_id, name) values ('${ids.acmeDesk}', '${ids.acme}', 'Desk'), ('${ids.blueDesk}', '${ids.blue}', 'Desk');
  insert into folders (id, workspace_id, name, position) values ('${ids.folderA}', '${ids.acmeDesk}', 'Plans', 1), ('${ids.folderB}', '${ids.blueDesk}', 'Plans', 2);`
