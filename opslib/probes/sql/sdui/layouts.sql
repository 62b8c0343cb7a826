-- title: Which layouts do the newest sessions, workflows and cases hold, and what do their sections name? Never what they say.
WITH recent AS MATERIALIZED (
    (SELECT 'agent_sessions' AS held_by, id, organization_id, created_at AS moment, workflow_state AS document
     FROM public.agent_sessions ORDER BY created_at DESC LIMIT %(newest)s)
    UNION ALL
    (SELECT 'workflows', id, organization_id, updated_at, steps
     FROM public.workflows ORDER BY updated_at DESC LIMIT %(newest)s)
    UNION ALL
    (SELECT 'cases', id, organization_id, updated_at, metadata
     FROM public.cases ORDER BY updated_at DESC LIMIT %(newest)s)
), pages AS MATERIALIZED (
    SELECT held_by, id, organization_id, moment, page
    FROM recent, jsonb_path_query(document, 'strict $.** ? (@.type == "page")') page
    LIMIT 5000
)
SELECT held_by, left(id::text, 8) AS row, moment, page -> 'version' AS version,
       ARRAY(SELECT left(key, 60) FROM jsonb_object_keys(page) key ORDER BY key LIMIT 30) AS keys,
       coalesce(page ->> 'organizationId', page ->> 'tenantId') = organization_id::text AS own_tenant,
       jsonb_typeof(page -> 'sections') AS sections_are,
       ARRAY(SELECT jsonb_build_object(
                 'type', left(section ->> 'type', 40),
                 'component', left(section ->> 'component', 80),
                 'intent', section ? 'intent',
                 'hydrated', section ? 'hydrateWith',
                 'version', section -> 'version',
                 'props', ARRAY(SELECT left(key, 60) FROM jsonb_object_keys(
                     CASE WHEN jsonb_typeof(section -> 'props') = 'object' THEN section -> 'props' ELSE '{}' END) key LIMIT 60),
                 'props_are', jsonb_typeof(section -> 'props'),
                 'markup', (section -> 'props')::text ~* '<\s*(script|iframe|object|embed|style|form)|\son[a-z]+\s*=|javascript:')
             FROM jsonb_array_elements(
                 CASE WHEN jsonb_typeof(page -> 'sections') = 'array' THEN page -> 'sections' ELSE '[]' END) section
             WHERE jsonb_typeof(section) = 'object' LIMIT 100) AS sections,
       (SELECT count(*)::int FROM jsonb_array_elements(
           CASE WHEN jsonb_typeof(page -> 'sections') = 'array' THEN page -> 'sections' ELSE '[]' END)) AS parts
FROM pages
ORDER BY moment DESC, held_by, id
