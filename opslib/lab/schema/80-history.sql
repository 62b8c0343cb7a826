-- The applied migrations, as the platform's command line records them.
create table supabase_migrations.schema_migrations (
  version text primary key,
  statements text[],
  name text
);
insert into supabase_migrations.schema_migrations (version, name) values
  ('20260104090000', 'baseline'),
  ('20260111101500', 'tenancy_and_roles'),
  ('20260118143000', 'agent_memory_vectors'),
  ('20260202080000', 'billing_core'),
  ('20260209160500', 'audit_immutability'),
  ('20260223112000', 'row_level_security'),
  ('20260302093000', 'webhook_dead_letters'),
  ('20260316101000', 'usage_indexes');
