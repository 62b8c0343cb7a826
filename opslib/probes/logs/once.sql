-- title: Which lines stand in two files that overlap, told apart from lines that were said twice
DELETE FROM lines WHERE rowid IN (
    SELECT unnest(list_sort(places)[2:])
    FROM (
        SELECT list(place) AS places
        FROM (
            SELECT
                rowid AS place, stream, at_ms, fingerprint,
                row_number() OVER (PARTITION BY stream, file, at_ms, fingerprint) AS nth
            FROM lines
            WHERE at_ms IS NOT NULL AND stream IN (
                SELECT a.stream
                FROM spans AS a JOIN spans AS b
                    ON a.stream = b.stream AND a.file < b.file AND a.first <= b.last AND b.first <= a.last
            )
        )
        GROUP BY stream, at_ms, fingerprint, nth
        HAVING count(*) > 1
    )
)
