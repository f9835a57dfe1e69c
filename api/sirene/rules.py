"""What INSEE's columns mean for the register: which name is given, what is open, what is not told. As SQL of DuckDB.

The meanings are those of INSEE's documentation of the variables of SIRENE: `etatAdministratif` A is active, F or C has
ceased; `statutDiffusion` O is public, P is partly published (N in files before 2023), and what is not published reads
[ND]; natural persons are of the legal categories 1…, and have a family name in the place of a denomination.
"""

from __future__ import annotations

import re

# What is read becomes text of COPY: see `models.sirene.rows`. Blanks and control characters of any kind become one
# blank; nothing, and [ND], become NULL. Nearly all values are plain already, which is told in a third of the time.
SAID = r"""
CREATE MACRO said(value, longest) AS nullif(
    CASE
        WHEN regexp_full_match(value::VARCHAR, '[!-\[\]-~]+( [!-\[\]-~]+)*') AND length(value::VARCHAR) <= longest
            THEN value::VARCHAR
        ELSE nullif(replace(
            trim(left(trim(regexp_replace(nfc_normalize(value::VARCHAR), '[\s\pZ\pC]+', ' ', 'g')), longest)),
            '\', '\\'
        ), '')
    END,
    '[ND]')
"""
FIELD = r"CREATE MACRO field(text) AS coalesce(text, '\N')"
DIGITS = "CREATE MACRO digits(text, number) AS length(text) = number AND text NOT GLOB '*[!0-9]*'"
FOURTEEN = "CREATE MACRO fourteen(siret) AS substr((100_000_000_000_000 + siret)::VARCHAR, 2)"  # With its zeros.
MOMENT = "CREATE MACRO moment(value) AS try_cast(value::VARCHAR AS TIMESTAMP)"

MACROS = (SAID, FIELD, DIGITS, FOURTEEN, MOMENT)

# Units and establishments with what they tell of themselves. A unit is *nameable* if it is public and no natural
# person. Its acronym stands behind its denomination, unless it is part of it. A number that is not well formed is
# kept as *malformed*: the file is refused then.
LEGAL_UNITS = r"""
CREATE TABLE legal_unit AS
WITH read AS (
    SELECT
        try_cast(siren AS INTEGER) AS siren,
        CASE WHEN NOT coalesce(digits(siren::VARCHAR, 9), false) THEN coalesce(siren::VARCHAR, '') END
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
)
SELECT
    siren,
    malformed,
    closed,
    published,
    published AND legal_person AS nameable,
    CASE WHEN published AND legal_person THEN coalesce(
        CASE WHEN contains(' ' || denomination || ' ', ' ' || acronym || ' ') THEN denomination END,
        denomination || ' (' || acronym || ')',
        denomination,
        usual_name
    ) END AS name,
    treated_at
FROM read
"""

ESTABLISHMENTS = r"""
CREATE TABLE establishment AS
WITH read AS (
    SELECT
        try_cast(siret AS BIGINT) AS siret,
        CASE WHEN NOT coalesce(
            digits(siret::VARCHAR, 14) AND left(siret::VARCHAR, 9) = siren::VARCHAR, false
        ) THEN coalesce(siret::VARCHAR, '') END AS malformed,
        CASE etatAdministratifEtablissement WHEN 'A' THEN false WHEN 'F' THEN true END AS closed,
        coalesce(statutDiffusionEtablissement = 'O', false) AS published,
        coalesce(statutDiffusionEtablissement = 'N', true) AS hidden,
        said(enseigne1Etablissement, 200) AS sign,
        said(denominationUsuelleEtablissement, 200) AS usual_name,
        said(codePostalEtablissement, 10) AS postal_code,
        said(libelleCommuneEtablissement, 100) AS city,
        moment(dateDernierTraitementEtablissement) AS treated_at
    FROM {table}
)
SELECT
    siret,
    malformed,
    closed,
    published,
    hidden,
    CASE WHEN published THEN coalesce(sign, usual_name) END AS name,
    CASE WHEN hidden THEN field(NULL) || chr(9) || field(NULL) ELSE field(postal_code) || chr(9) || field(city) END
        AS place,
    treated_at
FROM read
"""

UNITS_OF_SLICE = "legal_unit WHERE siren >= $first AND siren < $end"
ESTABLISHMENTS_OF_SLICE = """
establishment WHERE siret >= $first::BIGINT * 100_000 AND siret < $end::BIGINT * 100_000 AND closed IS NOT NULL
"""

# Of rows for one number, the one that was treated last counts, of equal ones the one that tells less. There should be
# no others, and they are looked for first: to rank all rows would be half of the work.
REPEATED = f"""
SELECT
    (SELECT count(*) > count(DISTINCT siren) FROM {UNITS_OF_SLICE})
    OR (SELECT count(*) > count(DISTINCT siret) FROM {ESTABLISHMENTS_OF_SLICE})
"""  # noqa: S608  # Made of constants.
FORGET_REPEATED = (
    f"""
    DELETE FROM legal_unit WHERE rowid IN (
        SELECT rowid FROM {UNITS_OF_SLICE} QUALIFY 1 < row_number() OVER (
            PARTITION BY siren ORDER BY treated_at DESC NULLS LAST, published, nameable, name NULLS FIRST, closed
        )
    )
    """,  # noqa: S608  # Made of constants.
    f"""
    DELETE FROM establishment WHERE rowid IN (
        SELECT rowid FROM {ESTABLISHMENTS_OF_SLICE} QUALIFY 1 < row_number() OVER (
            PARTITION BY siret
            ORDER BY treated_at DESC NULLS LAST, published, hidden DESC, name NULLS FIRST, place, closed
        )
    )
    """,  # noqa: S608  # Made of constants.
)

# A name is given where unit and establishment are public, and never that of a natural person; without its unit, nobody
# can tell, and an establishment has none.
SLICE = f"""
WITH entry AS (
    SELECT
        siret,
        CASE WHEN own.published AND nameable THEN coalesce(own.name, unit.name) END AS name,
        coalesce(own.closed OR unit.closed, false) AS closed,
        place,
        NOT (own.published AND coalesce(unit.published, true)) AS withheld,
        unit.siren IS NULL AS without_unit
    FROM (SELECT *, siret // 100_000 AS siren FROM {ESTABLISHMENTS_OF_SLICE}) AS own
        LEFT JOIN (FROM {UNITS_OF_SLICE}) AS unit USING (siren)
)
SELECT
    string_agg(
        concat_ws(chr(9), fourteen(siret), field(name), if(closed, 'CLOSED', 'ACTIVE'), place), chr(10) ORDER BY siret
    ),
    count(*),
    count(*) FILTER (closed),
    count(*) FILTER (withheld),
    count(*) FILTER (without_unit)
FROM entry
"""  # noqa: S608  # Made of constants.


def columns_of(sql: str) -> frozenset[str]:
    """The names of INSEE's columns that *sql* reads."""
    return frozenset(re.findall(r"\b(?:siren|siret|\w+Etablissement|\w+UniteLegale)\b", sql))
