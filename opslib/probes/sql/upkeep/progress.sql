-- title: How far is this session with its vacuum or its index?
SELECT /* opslib */ v.relid::regclass::text AS relation, v.phase, v.heap_blks_scanned AS done, v.heap_blks_total AS total
FROM pg_stat_progress_vacuum v WHERE v.pid = %(pid)s
UNION ALL
SELECT x.relid::regclass::text, x.phase,
       CASE WHEN x.lockers_total > 0 THEN x.lockers_done WHEN x.tuples_total > 0 THEN x.tuples_done ELSE x.blocks_done END,
       CASE WHEN x.lockers_total > 0 THEN x.lockers_total
            WHEN x.tuples_total > 0 THEN x.tuples_total ELSE x.blocks_total END
FROM pg_stat_progress_create_index x WHERE x.pid = %(pid)s
