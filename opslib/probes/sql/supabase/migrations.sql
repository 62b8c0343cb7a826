-- title: Migrations that the history records
SELECT version FROM supabase_migrations.schema_migrations ORDER BY version
