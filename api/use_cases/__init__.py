"""The use cases of the sign-up: one file for each part of the way, one transaction for each step."""
