-- title: Triggers, and whether they are enabled
SELECT format('%I.%I %I', n.nspname, c.relname, t.tgname) AS name,
       concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid)) AS text
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
