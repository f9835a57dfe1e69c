"""A slice of the register: establishments joined with their legal units, as text for COPY. As SQL of DuckDB.

A slice has the SIRENs from `$first` to before `$end`. The macros are those of `api.sirene.stocks`.
"""

UNITS_OF_SLICE = "legal_unit WHERE siren >= $first AND siren < $end"
ESTABLISHMENTS_OF_SLICE = """
establishment WHERE siret >= $first::BIGINT * 100_000 AND siret < $end::BIGINT * 100_000 AND closed IS NOT NULL
"""

# Of several rows for one number, the one that was treated last counts, and among equals the one that tells less.
# INSEE's files should repeat no number, so that this is looked for first: to rank all rows would be half of the work.
HAS_REPEATED = f"""
SELECT
    (SELECT count(*) > count(DISTINCT siren) FROM {UNITS_OF_SLICE})
    OR (SELECT count(*) > count(DISTINCT siret) FROM {ESTABLISHMENTS_OF_SLICE})
"""  # noqa: S608  # Made of constants.
DELETE_REPEATED = (
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

# A name is told if unit and establishment are public, and never that of a natural person. Nobody can tell without the
# unit: then there is no name.
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
        concat_ws(chr(9), siret_text(siret), copy_field(name), if(closed, 'CLOSED', 'ACTIVE'), place),
        chr(10) ORDER BY siret
    ),
    count(*),
    count(*) FILTER (closed),
    count(*) FILTER (withheld),
    count(*) FILTER (without_unit)
FROM entry
"""  # noqa: S608  # Made of constants.
