-- title: Digest of the large objects' pages, whatever their order
SELECT coalesce(sum(hashtextextended(page COLLATE "C", 1)), 0)::text AS sum,
       coalesce(bit_xor(hashtextextended(page COLLATE "C", 2)), 0)::text AS xor
FROM (SELECT loid || ' ' || pageno || ' ' || encode(data, 'hex') AS page FROM pg_largeobject OFFSET 0) AS pages
