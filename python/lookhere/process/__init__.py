"""The process that the package runs in: its forks, and the limits that the system sets to it."""
