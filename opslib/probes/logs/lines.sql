-- title: Every line of the files, as far as it can be read, once; lines outside the window keep their place alone
CREATE TABLE lines AS
WITH raw AS (
    SELECT
        filename AS file,
        line,
        CASE WHEN $form = 'evidence' THEN try(json_extract_string(line, ['$.at', '$.line'])) END AS kept,
        regexp_extract(line, '^(\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)) ', 1) AS stamp
    FROM read_csv(
        $files, delim = '\x01', quote = '', escape = '', comment = '', header = false, auto_detect = false,
        new_line = '\n', columns = {'line': 'VARCHAR'}, max_line_size = 1048576, strict_mode = false,
        ignore_errors = true, store_rejects = true, rejects_limit = 0, filename = true
    )
    WHERE line IS NOT NULL
),
parted AS (
    -- Evidence is a JSON object a line; an export has the event's moment before what was said, as CloudWatch writes it.
    SELECT
        file,
        CASE WHEN $form = 'evidence' THEN kept[1] ELSE nullif(stamp, '') END AS stamp,
        CASE
            WHEN $form = 'evidence' THEN coalesce(kept[2], line)
            WHEN stamp = '' THEN line
            ELSE substr(line, length(stamp) + 2)
        END AS said
    FROM raw
),
fielded AS (
    SELECT
        file,
        stamp,
        said,
        try(json_extract_string(said, [
            '$.level', '$.severity', '$.message', '$.msg', '$.ip', '$.remoteAddress', '$.client_ip',
            '$.userId', '$.user_id', '$.email', '$.tenantId', '$.tenant_id', '$.organization_id',
            '$.keyId', '$.api_key_id', '$.sessionId', '$.session_id', '$.requestId', '$.request_id',
            '$.path', '$.url', '$.request_path', '$.method', '$.status', '$.statusCode', '$.status_code',
            '$.timestamp', '$.time'
        ])) AS f
    FROM parted
),
dated AS (
    -- A moment without a zone is no moment: nobody says whose noon it was.
    SELECT
        *,
        epoch_ms(try_cast(stamp AS TIMESTAMPTZ)) AS stamp_ms,
        CASE
            WHEN regexp_matches(coalesce(f[27], f[28]), '(Z|[+-]\d\d:?\d\d)$')
                THEN epoch_ms(try_cast(coalesce(f[27], f[28]) AS TIMESTAMPTZ))
        END AS own_ms
    FROM fielded
),
placed AS (
    SELECT
        *,
        coalesce(stamp_ms, own_ms) AS at_ms,
        CASE
            WHEN coalesce(stamp_ms, own_ms) IS NULL THEN 'undated'
            WHEN coalesce(stamp_ms, own_ms) < $before_ms OR coalesce(stamp_ms, own_ms) >= $end_ms THEN 'outside'
            WHEN list_count(f[1:26]) > 0 THEN 'read'
            ELSE 'unread'
        END AS kind
    FROM dated
)
SELECT
    kind::ENUM ('read', 'unread', 'undated', 'outside') AS kind,
    inputs.stream,
    inputs.number AS file,
    CASE WHEN kind <> 'outside' THEN at_ms END AS at_ms,
    CASE WHEN kind = 'read' AND stamp_ms IS NOT NULL THEN own_ms - stamp_ms END AS skew_ms,
    CASE WHEN kind <> 'outside' THEN hash(said) END AS fingerprint,
    CASE WHEN kind IN ('unread', 'undated') THEN left(said, 4096) END AS said,
    CASE WHEN kind = 'read' THEN coalesce(f[1], f[2]) END AS level,
    CASE WHEN kind = 'read' THEN left(coalesce(f[3], f[4]), 4096) END AS message,
    CASE WHEN kind = 'read' THEN coalesce(f[5], f[6], f[7]) END AS address,
    CASE WHEN kind = 'read' THEN coalesce(f[8], f[9], f[10]) END AS account,
    CASE WHEN kind = 'read' THEN coalesce(f[11], f[12], f[13]) END AS tenant,
    CASE WHEN kind = 'read' THEN coalesce(f[14], f[15]) END AS key,
    CASE WHEN kind = 'read' THEN coalesce(f[16], f[17]) END AS session,
    CASE WHEN kind = 'read' THEN coalesce(f[18], f[19]) END AS request,
    CASE WHEN kind = 'read' THEN coalesce(f[20], f[21], f[22]) END AS route,
    CASE WHEN kind = 'read' THEN f[23] END AS method,
    CASE WHEN kind = 'read' THEN coalesce(f[24], f[25], f[26]) END AS status
FROM placed
JOIN inputs ON inputs.path = placed.file
