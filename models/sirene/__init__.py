"""The copy of the national register: what it says, of which edition it is, and how another takes its place."""
