"""The copy of the national register, its edition, and its replacement by another copy."""
