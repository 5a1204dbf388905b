"""The standard as data: sets, segments, elements and codes of X12 004010 and 005010. No code."""
