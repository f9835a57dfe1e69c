"""SIRET: the SIREN of a French company (9 digits) and the number of one of its establishments (5)."""

from stdnum import luhn

_LA_POSTE = "356000000"


def has_valid_checksum(siret: str) -> bool:
    """Whether 14 digits pass Luhn, as a whole and in their SIREN; zeros pass it too, and name nobody.

    La Poste has more establishments than Luhn leaves it numbers: there, a digit sum divisible by 5 does as
    well. stdnum.fr.siret is not asked: it wants that sum of all but the head office, and accepts all zeros.
    """
    siren = siret[:9]
    if siren == "000000000" or not luhn.is_valid(siren):
        return False
    return luhn.is_valid(siret) or (siren == _LA_POSTE and sum(map(int, siret)) % 5 == 0)
