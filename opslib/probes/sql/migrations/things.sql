-- title: Which of these objects are there?
SELECT /* opslib */ w.number, w.kind, w.schema, w.name, w.parent,
    CASE
        WHEN w.kind = 'schema' THEN n.oid IS NOT NULL
        WHEN w.kind IN ('table', 'view', 'sequence', 'index') THEN EXISTS (
            SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = w.name)
        WHEN w.kind = 'type' THEN EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid AND t.typname = w.name)
        WHEN w.kind = 'function' THEN EXISTS (
            SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = w.name)
        WHEN w.kind = 'column' THEN EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = p.oid AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped)
        WHEN w.kind = 'policy' THEN EXISTS (SELECT FROM pg_policy y WHERE y.polrelid = p.oid AND y.polname = w.name)
        WHEN w.kind = 'trigger' THEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p.oid AND t.tgname = w.name)
        WHEN w.kind = 'constraint' THEN EXISTS (
            SELECT FROM pg_constraint k WHERE k.conrelid = p.oid AND k.conname = w.name)
    END AS there,
    CASE WHEN w.kind = 'table' THEN (
        SELECT c.relrowsecurity FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = w.name)
    END AS row_security,
    CASE WHEN w.kind = 'index' THEN (
        SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
        WHERE c.relnamespace = n.oid AND c.relname = w.name)
    END AS valid,
    (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = w.name)
        AS rows_estimate
FROM unnest(%(kinds)s::text[], %(schemas)s::text[], %(names)s::text[], %(parents)s::text[])
    WITH ORDINALITY AS w(kind, schema, name, parent, number)
LEFT JOIN pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_class p ON p.relnamespace = n.oid AND p.relname = w.parent AND w.parent <> ''
ORDER BY w.number
