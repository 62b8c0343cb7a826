"""The run: journal, executor, approval policy, display, and the verbs that a notebook speaks."""
