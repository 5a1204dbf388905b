"""Measurements of Hilum beside a floor: never a test, never timed by one. `python -m bench` runs them all."""
