"""Asks and answers as JSON."""
