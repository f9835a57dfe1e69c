"""INSEE's files that the register is made of: the columns that are read of each, and what they mean. As SQL of DuckDB.

A further file is a `Stock` more: its SQL reads INSEE's columns by their names from `{table}` into a table of its own.

The meanings are those of INSEE's documentation of the variables of SIRENE: `etatAdministratif` A is active, F or C has
ceased; `statutDiffusion` O is public, P is partly published (N in files before 2023), and what is not published reads
[ND]; natural persons are of the legal categories 1…, and have a family name in the place of a denomination.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COLUMN = re.compile(r"\b(?:siren|siret|\w+Etablissement|\w+UniteLegale)\b")


@dataclass(frozen=True, slots=True)
class Stock:
    """One of INSEE's files: its name, the number that each of its rows has, and the SQL that reads it into *table*.

    The table has a column *malformed*: what stands in the place of the number, where that is not well formed.
    """

    published_as: str
    number: str
    table: str
    sql: str

    @property
    def columns(self) -> frozenset[str]:
        """The names of INSEE's columns that are read."""
        return frozenset(COLUMN.findall(self.sql))


# `clean` makes text for COPY: see `models.sirene.rows`. Each run of blanks and control characters becomes one blank;
# nothing, and [ND], become NULL. Nearly all values are clean already, and to find that out takes a third of the time.
CLEAN = r"""
CREATE MACRO clean(value, max_length) AS nullif(
    CASE
        WHEN regexp_full_match(value::VARCHAR, '[!-\[\]-~]+( [!-\[\]-~]+)*') AND length(value::VARCHAR) <= max_length
            THEN value::VARCHAR
        ELSE nullif(replace(
            trim(left(trim(regexp_replace(nfc_normalize(value::VARCHAR), '[\s\pZ\pC]+', ' ', 'g')), max_length)),
            '\', '\\'
        ), '')
    END,
    '[ND]')
"""
COPY_FIELD = r"CREATE MACRO copy_field(text) AS coalesce(text, '\N')"
IS_DIGITS = "CREATE MACRO is_digits(text, count) AS length(text) = count AND text NOT GLOB '*[!0-9]*'"
SIRET_TEXT = "CREATE MACRO siret_text(siret) AS substr((100_000_000_000_000 + siret)::VARCHAR, 2)"  # With its zeros.
TIMESTAMP_OF = "CREATE MACRO timestamp_of(value) AS try_cast(value::VARCHAR AS TIMESTAMP)"

MACROS = (CLEAN, COPY_FIELD, IS_DIGITS, SIRET_TEXT, TIMESTAMP_OF)

# A unit is *nameable* if it is public and no natural person. Its acronym stands behind its denomination, unless it is a
# part of it.
LEGAL_UNIT_SQL = r"""
CREATE TABLE legal_unit AS
WITH read AS (
    SELECT
        try_cast(siren AS INTEGER) AS siren,
        CASE WHEN NOT coalesce(is_digits(siren::VARCHAR, 9), false) THEN coalesce(siren::VARCHAR, '') END
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
        clean(denominationUniteLegale, 150) AS denomination,
        clean(sigleUniteLegale, 40) AS acronym,
        clean(denominationUsuelle1UniteLegale, 200) AS usual_name,
        timestamp_of(dateDernierTraitementUniteLegale) AS treated_at
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

ESTABLISHMENT_SQL = r"""
CREATE TABLE establishment AS
WITH read AS (
    SELECT
        try_cast(siret AS BIGINT) AS siret,
        CASE WHEN NOT coalesce(
            is_digits(siret::VARCHAR, 14) AND left(siret::VARCHAR, 9) = siren::VARCHAR, false
        ) THEN coalesce(siret::VARCHAR, '') END AS malformed,
        CASE etatAdministratifEtablissement WHEN 'A' THEN false WHEN 'F' THEN true END AS closed,
        coalesce(statutDiffusionEtablissement = 'O', false) AS published,
        coalesce(statutDiffusionEtablissement = 'N', true) AS hidden,
        clean(enseigne1Etablissement, 200) AS sign,
        clean(denominationUsuelleEtablissement, 200) AS usual_name,
        clean(codePostalEtablissement, 10) AS postal_code,
        clean(libelleCommuneEtablissement, 100) AS city,
        timestamp_of(dateDernierTraitementEtablissement) AS treated_at
    FROM {table}
)
SELECT
    siret,
    malformed,
    closed,
    published,
    hidden,
    CASE WHEN published THEN coalesce(sign, usual_name) END AS name,
    CASE
        WHEN hidden THEN copy_field(NULL) || chr(9) || copy_field(NULL)
        ELSE copy_field(postal_code) || chr(9) || copy_field(city)
    END AS place,
    treated_at
FROM read
"""

LEGAL_UNIT = Stock("StockUniteLegale", "SIREN of 9 digits", "legal_unit", LEGAL_UNIT_SQL)
ESTABLISHMENT = Stock(
    "StockEtablissement", "SIRET of 14 digits that begins with its SIREN", "establishment", ESTABLISHMENT_SQL
)
