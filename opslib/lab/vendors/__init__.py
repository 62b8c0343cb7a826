"""Stand-ins of the vendors, one module each, that speak their documented APIs and keep state."""
