-- title: How many large objects there are, and whether this role may read their pages
SELECT (SELECT count(*) FROM pg_largeobject_metadata) AS count,
       has_table_privilege('pg_largeobject', 'SELECT') AS readable
