-- title: The lines of the window that are about whom, or what, is asked after
CREATE VIEW asked AS
SELECT lines.*
FROM lines, given
WHERE kind = 'read'
    AND at_ms >= given.start_ms
    AND (given.address IS NULL OR lines.address = given.address)
    AND (given.account IS NULL OR lines.account = given.account)
    AND (given.tenant IS NULL OR lines.tenant = given.tenant)
    AND (given.request IS NULL OR lines.request = given.request)
    AND (given.session IS NULL OR lines.session = given.session)
