"""Pushing verified entries to another system: signed, in order, and none of them lost."""
