-- title: Which users are these, by id or by e-mail address?
SELECT /* opslib */ id::text AS id, email::text AS email
FROM auth.users
WHERE id::text = ANY (%(names)s) OR lower(email) = ANY (%(names)s)
ORDER BY id
