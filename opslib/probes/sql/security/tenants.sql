-- title: Two organizations with the most members, and of each a member who is in no other
WITH /* opslib */ single AS (
    SELECT m.user_id, min(m.organization_id::text) AS organization
    FROM public.organization_members m
    WHERE m.status = 'active'
    GROUP BY m.user_id
    HAVING count(*) = 1
)
SELECT organization, min(user_id::text) AS member, count(*) AS members
FROM single
GROUP BY organization
ORDER BY count(*) DESC, organization
LIMIT 2
