-- The session's own helpers. Hashes of (seed, kind, number) take the place of random numbers, so that
-- the same parameters give the same content. They vanish with the session.
create or replace function pg_temp.rows_of(share numeric) returns bigint language sql stable as $$
  select greatest(1, round(current_setting('lab.rows')::numeric * share))::bigint
$$;
create or replace function pg_temp.clock() returns timestamptz language sql stable as $$
  select current_setting('lab.clock')::timestamptz
$$;
-- A whole number from 0 to 2^53 - 1.
create or replace function pg_temp.hash(kind text, n bigint) returns bigint language sql stable as $$
  select hashtextextended(kind || n, current_setting('lab.seed')::bigint) & 9007199254740991
$$;
-- A number from 0 up to, not including, 1.
create or replace function pg_temp.part(kind text, n bigint) returns double precision language sql stable as $$
  select pg_temp.hash(kind, n) / 9007199254740992.0::double precision
$$;
create or replace function pg_temp.key(kind text, n bigint) returns uuid language sql stable as $$
  select md5(current_setting('lab.seed') || kind || n)::uuid
$$;
-- How many organizations and users there are, and to which organization user number n belongs.
create or replace function pg_temp.organizations() returns bigint language sql stable as $$
  select least(200, greatest(4, pg_temp.rows_of(0.001)))
$$;
create or replace function pg_temp.users() returns bigint language sql stable as $$
  select greatest(pg_temp.organizations() * 3, pg_temp.rows_of(0.02))
$$;
create or replace function pg_temp.home(n bigint) returns bigint language sql stable as $$
  select n % pg_temp.organizations()
$$;
-- The moment of number n of total, evenly over the days before the clock, with some jitter; never after it.
create or replace function pg_temp.moment(kind text, n bigint, total bigint, span interval)
  returns timestamptz language sql stable as $$
  select date_trunc('milliseconds', pg_temp.clock() - span * ((total - n + pg_temp.part(kind, n)) / total))
$$;
