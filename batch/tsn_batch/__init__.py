"""The command `tsn`, and rendering with several workers on this machine (`local`) or on a render farm (`farms`)."""
