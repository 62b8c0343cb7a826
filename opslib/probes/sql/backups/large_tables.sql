-- title: The largest tables, whose rows are saved as pieces of their own
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       (SELECT string_agg(format('%%I %%s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum) AS given
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p'
  AND n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
  -- A name with other characters would be a pattern to the client programs.
  AND n.nspname ~ '^[A-Za-z0-9_]+$' AND c.relname ~ '^[A-Za-z0-9_]+$'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  -- What a COPY of no column would hold is no row, and text of another encoding would be written anew.
  AND EXISTS (SELECT FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
  AND current_setting('server_encoding') = 'UTF8'
  AND pg_table_size(c.oid) >= %(bytes)s
ORDER BY pg_table_size(c.oid) DESC, 1, 2
LIMIT %(most)s
