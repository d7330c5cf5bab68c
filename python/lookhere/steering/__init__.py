"""Which heads look where, and how strongly."""
