-- What PostGraphile makes its schema of: a view in a PostgreSQL schema of its own, and a function for many at once.
CREATE SCHEMA IF NOT EXISTS postgraphile;

CREATE OR REPLACE VIEW postgraphile.organisation AS
SELECT r.siret, r.name, r.status, o.id IS NOT NULL AS on_portal, r.postal_code, r.city
FROM register_entry r
LEFT JOIN organisation o ON o.identifier_type = 'SIRET' AND o.identifier_value = r.siret;

COMMENT ON VIEW postgraphile.organisation IS '@primaryKey siret';

CREATE OR REPLACE FUNCTION postgraphile.organisations_by_sirets(sirets text[])
RETURNS SETOF postgraphile.organisation LANGUAGE sql STABLE AS $$
  SELECT * FROM postgraphile.organisation WHERE siret = ANY(sirets)
$$;
