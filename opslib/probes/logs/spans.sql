-- title: From when until when each file of a stream reaches
CREATE TABLE spans AS
SELECT stream, file, min(at_ms) AS first, max(at_ms) AS last FROM lines WHERE at_ms IS NOT NULL GROUP BY ALL
