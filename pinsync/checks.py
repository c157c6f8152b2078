"""Numbered system checks: what must not be so in production, as sentences."""
