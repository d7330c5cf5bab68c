"""Tiny pairs with random weights, one for each family of vision-language models: see ``table.py``."""
