"""The calls of the standard, one file each, and functions."""
