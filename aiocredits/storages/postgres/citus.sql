-- For Citus: distribute the tables by account. Run it once, as the owner of the tables and after the
-- migrations, with your schema's name in place of {schema}.
--
-- The account leads every key, so each table can be cut by it, and what belongs to an account lies on
-- one node. Citus locks rows of one account at a time only, and batches lock several: until they can
-- be split, apply commands one by one.
SELECT create_distributed_table('{schema}.accounts', 'account', colocate_with => 'none');
SELECT create_distributed_table('{schema}.grants', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.holds', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.charges', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.entries', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.usage', 'account', colocate_with => '{schema}.accounts');
SELECT create_distributed_table('{schema}.openings', 'account', colocate_with => '{schema}.accounts');
SELECT create_reference_table('{schema}.schema_version');
