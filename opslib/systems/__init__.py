"""The outside systems, one module each; the only place that imports their client libraries.

Handles here come in two kinds. Reading handles cannot write, whatever they are asked. Writing handles
exist in the executor's process only, while an action is applied.
"""
