-- title: When the project's older service_role key was used last (Supabase's logs, not the database)
SELECT unix_millis(max(timestamp)) AS used, payload.role AS hash
FROM edge_logs
CROSS JOIN unnest(metadata) AS metadata
CROSS JOIN unnest(metadata.request) AS request
CROSS JOIN unnest(request.sb) AS sb
CROSS JOIN unnest(sb.jwt) AS jwt
CROSS JOIN unnest(jwt.apikey) AS given
CROSS JOIN unnest(given.payload) AS payload
WHERE payload.role = 'service_role'
GROUP BY payload.role
