"""SIRET: the SIREN of a French company (9 digits) and the number of one of its establishments (5 digits)."""

from stdnum import luhn

_LA_POSTE = "356000000"


def has_valid_checksum(siret: str) -> bool:
    """Return whether 14 digits pass Luhn, both as a whole and in their SIREN. Refuse zeros, which name nobody.

    La Poste has more establishments than Luhn leaves it numbers: for it, a digit sum divisible by 5 passes as well.
    stdnum.fr.siret is not used: it requires that sum of all but the head office, and accepts all zeros.
    """
    siren = siret[:9]
    if siren == "000000000" or not luhn.is_valid(siren):
        return False
    return luhn.is_valid(siret) or (siren == _LA_POSTE and sum(map(int, siret)) % 5 == 0)
