"""Many jobs, answered in the same batches and kept line by line, so that they can be stopped at any time."""
