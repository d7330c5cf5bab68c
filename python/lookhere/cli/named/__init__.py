"""The commands about models and head sets by name."""
