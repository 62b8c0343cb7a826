-- title: Which relations of an incident's evidence are there, and may they be read?
SELECT /* opslib */ name, to_regclass(name) IS NOT NULL AS there,
       CASE WHEN to_regclass(name) IS NULL THEN false
            ELSE has_schema_privilege(split_part(name, '.', 1), 'USAGE')
                 AND has_table_privilege(to_regclass(name)::oid, 'SELECT') END AS readable
FROM unnest(%(names)s::text[]) AS name
ORDER BY name
