-- title: The columns of llm_usage, and whether row security hides rows
SELECT /* opslib */ t.id IS NOT NULL AS found, row_security_active(t.id) AS hidden,
       array(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = t.id AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS names
FROM (SELECT to_regclass('public.llm_usage')::oid AS id) t
