"""The browser, for every test of drawings that asks for it."""

from browser import browser

__all__ = ["browser"]
