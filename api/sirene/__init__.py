"""The national register, SIRENE: INSEE's files are read, joined and loaded as the service's own copy."""
