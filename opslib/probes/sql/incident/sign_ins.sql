-- title: When the sessions that are there began
SELECT /* opslib */ slot.begins, count(s.id) AS sessions, count(DISTINCT s.user_id) AS users
FROM (SELECT now() - make_interval(secs => %(hours)s * 3600 * (48 - n) / 48) AS begins,
             make_interval(secs => %(hours)s * 3600 / 48) AS length
      FROM generate_series(0, 47) AS n) AS slot
LEFT JOIN auth.sessions s ON s.created_at >= slot.begins AND s.created_at < slot.begins + slot.length
GROUP BY slot.begins
ORDER BY slot.begins
