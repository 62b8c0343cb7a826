"""The report's page and its style."""
