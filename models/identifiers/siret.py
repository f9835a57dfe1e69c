"""SIRET: the SIREN of a French company (9 digits) and the number of one of its establishments (5 digits)."""

_LA_POSTE = b"356000000"
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
"""The share of each digit in Luhn's sum, at every other place: twice its value, less 9 if that is above 9."""


def has_valid_checksum(siret: str) -> bool:
    """Return whether 14 digits pass Luhn, both as a whole and in their SIREN. Refuse zeros, which name nobody.

    La Poste has more establishments than Luhn leaves it numbers: for it, a digit sum divisible by 5 passes as well.
    stdnum.fr.siret is not used: it requires that sum of all but the head office, and accepts all zeros.
    """
    digits = siret.encode()
    single, doubled = digits.translate(_VALUES), digits.translate(_DOUBLED)
    # Doubled is every other digit from the last but one: the odd places of 9 digits, the even ones of 14.
    if (sum(single[:9:2]) + sum(doubled[1:9:2])) % 10 != 0 or not any(single[:9]):
        return False
    if (sum(single[1::2]) + sum(doubled[::2])) % 10 == 0:
        return True
    return digits.startswith(_LA_POSTE) and sum(single) % 5 == 0
