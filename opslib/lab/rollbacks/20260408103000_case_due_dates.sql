-- The due dates that were set meanwhile are lost.
alter table public.cases drop column due_at;
