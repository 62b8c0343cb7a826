"""Pictures of readings, one module per area: pure functions from a Reading to a Picture.

Inline SVG without script, style sheet or outside reference; readable in black and white; each with a
text alternative.
"""

from opslib.areas import lazily

__getattr__ = lazily(__name__)
