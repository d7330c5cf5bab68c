"""Images as a model sees them, and conversations about them."""
