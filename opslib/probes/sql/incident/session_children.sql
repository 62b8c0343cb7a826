-- title: What hangs on auth.sessions: does it go with a session, and is it found by an index?
SELECT /* opslib */ format('%I.%I', n.nspname, c.relname) AS relation, a.attname::text AS column_name,
       k.confdeltype = 'c' AS cascades, k.confdeltype IN ('n', 'd') AS is_unset,
       greatest(c.reltuples, 0)::bigint AS rows_estimate,
       EXISTS (SELECT FROM pg_index i
               WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
                 AND i.indkey[0] = k.conkey[1]) AS indexed
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND k.confrelid = 'auth.sessions'::regclass
ORDER BY 1
