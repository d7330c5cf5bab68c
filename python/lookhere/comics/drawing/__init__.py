"""Vector-like drawing of comic panels with Pillow primitives: no fonts, no files, no network."""
