"""The driver loop and its ports, the step registry, the in-process driver, clocks and chance."""
