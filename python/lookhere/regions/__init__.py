"""Where to look, in pixels of the upright image: boxes, points, panels, polygons and masks."""
