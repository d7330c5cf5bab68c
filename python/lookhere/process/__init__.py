"""The process that the package runs in: its forks, its memory, and the limits that the system sets to it."""
