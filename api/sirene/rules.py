"""What INSEE's columns mean for the register: which name is given, what is open, what is not told. As SQL of DuckDB.

The meanings are those of INSEE's documentation of the variables of SIRENE: `etatAdministratif` A is active, F or C has
ceased; `statutDiffusion` O is public, P is partly published (N in files before 2023), and what is not published reads
[ND]; natural persons are of the legal categories 1…, and have a family name in the place of a denomination.
"""

from __future__ import annotations

import re

# Blanks and control characters of any kind become one blank; nothing, and [ND], become NULL. Nearly all values are
# plain already, which is told in a quarter of the time.
SAID = r"""
CREATE MACRO said(value, longest) AS nullif(nullif(
    CASE
        WHEN regexp_full_match(value::VARCHAR, '[!-~]+( [!-~]+)*') THEN rtrim(left(value::VARCHAR, longest))
        ELSE trim(left(trim(regexp_replace(nfc_normalize(value::VARCHAR), '[\s\pZ\pC]+', ' ', 'g')), longest))
    END,
    ''), '[ND]')
"""
MOMENT = "CREATE MACRO moment(value) AS try_cast(value::VARCHAR AS TIMESTAMP)"

# A unit's acronym stands behind its denomination, unless it is part of it. A number that is not well formed is kept
# as *malformed*: the file is refused then.
LEGAL_UNITS = r"""
CREATE TABLE legal_unit AS
SELECT
    try_cast(siren AS INTEGER) AS siren,
    CASE WHEN NOT coalesce(regexp_full_match(siren::VARCHAR, '\d{9}'), false) THEN coalesce(siren::VARCHAR, '') END
        AS malformed,
    coalesce(etatAdministratifUniteLegale = 'C', false) AS closed,
    coalesce(statutDiffusionUniteLegale = 'O', false) AS published,
    coalesce(nomUniteLegale, '') = ''
        AND coalesce(
            regexp_full_match(nullif(trim(categorieJuridiqueUniteLegale::VARCHAR), ''), '[02-9]\d{3}'),
            denominationUniteLegale <> '',
            false
        )
        AS legal_person,
    said(denominationUniteLegale, 150) AS denomination,
    said(sigleUniteLegale, 40) AS acronym,
    said(denominationUsuelle1UniteLegale, 200) AS usual_name,
    moment(dateDernierTraitementUniteLegale) AS treated_at
FROM {table}
"""

ESTABLISHMENTS = r"""
CREATE TABLE establishment AS
SELECT
    try_cast(siret AS BIGINT) AS siret,
    CASE WHEN NOT coalesce(
        regexp_full_match(siret::VARCHAR, '\d{14}') AND left(siret::VARCHAR, 9) = siren::VARCHAR, false
    ) THEN coalesce(siret::VARCHAR, '') END AS malformed,
    CASE etatAdministratifEtablissement WHEN 'A' THEN false WHEN 'F' THEN true END AS closed,
    coalesce(statutDiffusionEtablissement = 'O', false) AS published,
    said(enseigne1Etablissement, 200) AS sign,
    said(denominationUsuelleEtablissement, 200) AS usual_name,
    coalesce(statutDiffusionEtablissement = 'N', true) AS hidden,
    said(codePostalEtablissement, 10) AS postal_code,
    said(libelleCommuneEtablissement, 100) AS city,
    moment(dateDernierTraitementEtablissement) AS treated_at
FROM {table}
"""

# The text format of PostgreSQL's COPY: see `models.register.rows`.
FIELD = r"CREATE MACRO field(value) AS coalesce(replace(value, '\', '\\'), '\N')"

MACROS = (SAID, MOMENT, FIELD)

# Of rows for one number, the one that was treated last counts, of equal ones the one that tells less. A name is given
# where unit and establishment are public, and never that of a natural person; without its unit, nobody can tell, and
# an establishment has none.
SLICE = r"""
WITH
    unit AS (
        FROM legal_unit WHERE siren >= $first AND siren < $end
        QUALIFY row_number() OVER (PARTITION BY siren ORDER BY treated_at DESC NULLS LAST, published, legal_person) = 1
    ),
    place AS (
        SELECT *, siret // 100_000 AS siren FROM establishment
        WHERE siret >= $first::BIGINT * 100_000 AND siret < $end::BIGINT * 100_000 AND closed IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY siret ORDER BY treated_at DESC NULLS LAST, published, hidden DESC) = 1
    ),
    entry AS (
        SELECT
            place.siret,
            CASE WHEN place.published AND unit.published AND unit.legal_person THEN coalesce(
                place.sign,
                place.usual_name,
                CASE WHEN contains(' ' || denomination || ' ', ' ' || acronym || ' ') THEN denomination END,
                denomination || ' (' || acronym || ')',
                denomination,
                unit.usual_name
            ) END AS name,
            coalesce(place.closed OR unit.closed, false) AS closed,
            CASE WHEN NOT hidden THEN postal_code END AS postal_code,
            CASE WHEN NOT hidden THEN city END AS city,
            NOT (place.published AND coalesce(unit.published, true)) AS withheld,
            unit.siren IS NULL AS without_unit
        FROM place LEFT JOIN unit USING (siren)
    )
SELECT
    string_agg(concat_ws(chr(9),
        lpad(siret::VARCHAR, 14, '0'), field(name), if(closed, 'CLOSED', 'ACTIVE'), field(postal_code), field(city)
    ), chr(10) ORDER BY siret),
    count(*),
    count(*) FILTER (closed),
    count(*) FILTER (withheld),
    count(*) FILTER (without_unit)
FROM entry
"""


def columns_of(sql: str) -> frozenset[str]:
    """The names of INSEE's columns that *sql* reads."""
    return frozenset(re.findall(r"\b(?:siren|siret|\w+Etablissement|\w+UniteLegale)\b", sql))
