"""Models and head sets by name: what is on this machine already, and what Hugging Face has."""
