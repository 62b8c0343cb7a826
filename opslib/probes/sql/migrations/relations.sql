-- title: Which tables, views, indexes and sequences are there?
SELECT /* opslib */ c.oid::bigint AS oid, n.nspname || '.' || c.relname AS relation
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%%'
