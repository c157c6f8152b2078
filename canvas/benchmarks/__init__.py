"""Measurements of what people start in the Canvas: launches, and the imports before them."""
