"""The laboratory: which heads are gaze heads, what steering them is worth, and the page that shows it."""
