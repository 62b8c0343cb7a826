"""The operations guide as data: items, thresholds, what carries them out, and where the guide is wrong."""
