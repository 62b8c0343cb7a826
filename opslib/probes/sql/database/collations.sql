-- title: Under which version of their collation were indexes built, and which one is there now?
WITH /* opslib */ here AS (
    SELECT * FROM pg_database WHERE datname = current_database()
), versions AS (
    -- "default" stands for the database's own. What sorts by bytes ("C") has no version and needs none.
    SELECT c.oid, c.collname,
           CASE WHEN c.collname = 'default' AND n.nspname = 'pg_catalog' THEN 'database ' || quote_ident(h.datname)
                ELSE 'collation ' || quote_ident(n.nspname) || '.' || quote_ident(c.collname) END AS collation,
           CASE c.collprovider WHEN 'd' THEN h.datlocprovider ELSE c.collprovider END AS provider,
           CASE c.collprovider WHEN 'd' THEN h.datcollate ELSE c.collcollate END AS locale,
           CASE c.collprovider WHEN 'd' THEN h.datcollversion ELSE c.collversion END AS recorded,
           CASE c.collprovider WHEN 'd' THEN pg_database_collation_actual_version(h.oid)
                ELSE pg_collation_actual_version(c.oid) END AS actual
    FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace, here h
), uses AS (
    -- Keys and expressions …
    SELECT i.indexrelid AS oid, i.indrelid, i.indisunique, k.coll
    FROM pg_index i, unnest(i.indcollation) AS k(coll)
    UNION
    -- … and what a partial index's condition, or a named collation within an expression, depends on.
    SELECT i.indexrelid, i.indrelid, i.indisunique, d.refobjid
    FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
    WHERE d.refclassid = 'pg_collation'::regclass
), indexes AS (
    SELECT u.coll, u.indisunique, u.oid::regclass::text AS index, c.relpages
    FROM uses u
    JOIN pg_class c ON c.oid = u.oid
    WHERE u.coll <> 0 AND c.relkind = 'i'
)
SELECT v.collation,
       CASE v.provider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'ICU' WHEN 'b' THEN 'built in' ELSE v.provider::text END
           AS provider,
       v.recorded AS built_under, v.actual AS there_now,
       v.provider = 'c' AND (v.locale IN ('C', 'POSIX') OR v.locale LIKE 'C.%%') AS by_bytes,
       count(*)::int AS indexes,
       count(*) FILTER (WHERE i.indisunique)::int AS unique_indexes,
       sum(i.relpages)::bigint * current_setting('block_size')::int AS bytes_estimate,
       (array_agg(i.index ORDER BY i.indisunique DESC, i.index))[1:5] AS first_indexes
FROM versions v
JOIN indexes i ON i.coll = v.oid
GROUP BY v.oid, v.collation, v.provider, v.locale, v.recorded, v.actual
ORDER BY (v.recorded IS DISTINCT FROM v.actual) DESC, indexes DESC, v.collation
