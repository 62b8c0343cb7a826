-- When a case is due. Nullable, so that no row is rewritten.
alter table public.cases add column due_at timestamptz;
comment on column public.cases.due_at is 'When the case is due, by the customer''s word.';
