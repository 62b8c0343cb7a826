-- Roles of the platform, and the role that the operators' reading sessions use.
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role service_role set statement_timeout = '30s';
alter role authenticator set statement_timeout = '8s';
alter role anon set lock_timeout = '2s';
alter role authenticated set lock_timeout = '2s';
alter role service_role set lock_timeout = '10s';
alter role authenticator set lock_timeout = '8s';

-- Sees every row and every statistic, owns nothing, may write nothing.
create role ops_reader login bypassrls connection limit 20;
grant pg_monitor, pg_read_all_data to ops_reader;
alter role ops_reader set default_transaction_read_only = on;
alter role ops_reader set statement_timeout = '60s';
alter role ops_reader set lock_timeout = '2s';
alter role ops_reader set idle_in_transaction_session_timeout = '60s';
