-- title: Whose newest sessions belong to an organization that shows them nothing, since they are no active members of it?
WITH recent AS MATERIALIZED (
    SELECT id, organization_id, user_id, status, created_at
    FROM public.agent_sessions ORDER BY created_at DESC LIMIT %(newest)s
)
SELECT count(*)::int AS sessions,
       (count(*) FILTER (WHERE r.status = 'active'))::int AS going,
       (count(*) FILTER (WHERE m.status IS DISTINCT FROM 'active'))::int AS unseen,
       (count(*) FILTER (WHERE m.status IS DISTINCT FROM 'active' AND r.status = 'active'))::int AS unseen_now,
       coalesce((array_agg(DISTINCT coalesce(m.status, 'no member')) FILTER (WHERE m.status IS DISTINCT FROM 'active'
                AND r.status = 'active')), '{}') AS membership,
       (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.agent_sessions'::regclass) AS row_security
FROM recent r
LEFT JOIN public.organization_members m ON m.organization_id = r.organization_id AND m.user_id = r.user_id
