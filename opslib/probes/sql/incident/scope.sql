-- title: How many sessions would be ended, of how many users, and how many are kept?
SELECT /* opslib */
    count(*) FILTER (WHERE chosen AND NOT kept) AS sessions,
    count(DISTINCT user_id) FILTER (WHERE chosen AND NOT kept) AS users,
    count(*) FILTER (WHERE kept) AS kept_sessions,
    count(*) AS all_sessions
FROM (SELECT user_id,
             user_id::text = ANY (%(kept)s) AS kept,
             CASE %(scope)s WHEN 'users' THEN user_id::text = ANY (%(users)s)
                            WHEN 'since' THEN created_at >= %(since)s
                            WHEN 'all' THEN true ELSE false END AS chosen
      FROM auth.sessions) AS s
