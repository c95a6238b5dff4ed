/** The query behind the drawer's view of one company: the server's own rows as one JSON document. No code, only SQL. */

/** How many folders of a workspace the drawer lists; the rest is only counted. */
export const listedFolders = 12

/** `$1`: company id. One document, or none. */
export const companyDetailSql = `
select jsonb_build_object(
  'id', c.id, 'name', c.name, 'slug', c.slug,
  'members', coalesce((
    select jsonb_agg(jsonb_build_object('id', m.id, 'userId', u.id, 'name', u.name, 'role', m.role) order by u.name, m.id)
      from company_members m join users u on u.id = m.user_id where m.company_id = c.id), '[]'),
  'groups', coalesce((
    select jsonb_agg(jsonb_build_object('id', g.id, 'name', g.name, 'members', coalesce((
        select jsonb_agg(jsonb_build_object('id', gm.id, 'userId', u.id, 'name', u.name) order by u.name, gm.id)
          from user_group_members gm join users u on u.id = gm.user_id where gm.group_id = g.id), '[]'))
      order by g.name, g.id)
      from user_groups g where g.company_id = c.id), '[]'),
  'workspaces', coalesce((
    select jsonb_agg(jsonb_build_object('id', w.id, 'name', w.name,
        'folderCount', (select count(*) from folders f where f.workspace_id = w.id),
        'folders', coalesce((
          select jsonb_agg(jsonb_build_object('id', f.id, 'name', f.name) order by f.position desc, f.id)
            from (select * from folders f where f.workspace_id = w.id
                   order by f.position desc, f.id limit ${listedFolders}) f), '[]'))
      order by w.name, w.id)
      from workspaces w where w.company_id = c.id), '[]')
) as doc
from companies c where c.id = $1::uuid`
