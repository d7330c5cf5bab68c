"""The weights of a model: in memory, or freed while nobody uses them."""
