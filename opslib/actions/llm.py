"""The actions of the area: close the breakers of every replica once the provider behind them is well."""

from opslib.actions.llm_reset import ResetBreakers

__all__ = ["ResetBreakers"]
