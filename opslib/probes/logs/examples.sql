-- title: What do lines look like that could not be read, or say no moment?
SELECT stream, at_ms AS moment, said
FROM lines
WHERE said IS NOT NULL
ORDER BY at_ms, stream
LIMIT 20
