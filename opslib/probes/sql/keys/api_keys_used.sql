-- title: When each secret key of the project was used last (Supabase's logs, not the database)
SELECT unix_millis(max(timestamp)) AS used, key.hash AS hash
FROM edge_logs
CROSS JOIN unnest(metadata) AS metadata
CROSS JOIN unnest(metadata.request) AS request
CROSS JOIN unnest(request.sb) AS sb
CROSS JOIN unnest(sb.apikey) AS given
CROSS JOIN unnest(given.apikey) AS key
WHERE key.error IS NULL AND key.prefix LIKE 'sb_secret_%'
GROUP BY key.hash
