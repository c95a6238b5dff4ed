-- Electric's role and its publication, so that Electric itself needs no right to change the schema. Idempotent; run by the
-- service `migrate` with the variable `electric_password`. Add a line per table when the graph gains one.

select format('create role electric login replication password %L', :'electric_password')
where not exists (select 1 from pg_roles where rolname = 'electric')
\gexec
select format('alter role electric login replication password %L', :'electric_password')
\gexec

grant usage on schema public to electric;
grant select on users, companies, company_members, user_groups, user_group_members, workspaces, folders to electric;

-- Old values of changed rows: without them a row that leaves a shape cannot be told.
alter table users replica identity full;
alter table companies replica identity full;
alter table company_members replica identity full;
alter table user_groups replica identity full;
alter table user_group_members replica identity full;
alter table workspaces replica identity full;
alter table folders replica identity full;

select 'create publication electric_publication_default'
where not exists (select 1 from pg_publication where pubname = 'electric_publication_default')
\gexec
alter publication electric_publication_default
  set table users, companies, company_members, user_groups, user_group_members, workspaces, folders;
alter publication electric_publication_default set (publish_generated_columns = stored);
