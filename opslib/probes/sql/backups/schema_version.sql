-- title: The newest applied migration
SELECT max(version) AS schema_version FROM supabase_migrations.schema_migrations
