"""What is let in: which caller, which body, which picture, which address."""
