-- The applied migrations, as the platform's command line records them.
create table supabase_migrations.schema_migrations (
  version text primary key,
  statements text[],
  name text
);
