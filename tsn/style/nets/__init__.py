"""The nets that paint, and the filters and palettes that prepare their input."""
