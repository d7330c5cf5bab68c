"""Texts that are looked at as images are."""
