-- title: Applied migrations by version
SELECT version, name FROM supabase_migrations.schema_migrations ORDER BY version
