-- title: Which migrations are recorded as applied, with the statements that were?
SELECT /* opslib */ version, name, statements
FROM supabase_migrations.schema_migrations
ORDER BY version
