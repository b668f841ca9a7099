-- For Citus: distribute the tables by account. Run it once, on the coordinator, as the owner of the
-- tables and after the migrations, with your schema's name, quoted if need be, in place of {schema}.
-- Tables that have rows already are copied, and writers wait until that is done.
--
-- The account is in every key, so each table can be cut by it; and all tables are cut alike, so what
-- belongs to an account lies on one node. Then open the storage with ?routed=true: Citus locks and
-- joins rows of one account at a time only. Later migrations are applied as everywhere.
SELECT create_distributed_table('{schema}.accounts', 'account', colocate_with => 'none');
SELECT create_distributed_table('{schema}.grants', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.holds', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.charges', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.entries', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.usage', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.openings', 'account', colocate_with => '{schema}.accounts');
SELECT create_reference_table('{schema}.schema_version');
