"""The archive: every run registered before it starts, sealed when it ends, and checkable without our code."""
