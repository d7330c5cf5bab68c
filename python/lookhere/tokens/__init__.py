"""Where pixels meet image tokens: grids, coverage, read-back and zoom."""
