"""The shot file: YAML in, a frozen `Shot` out (`load.load`), or all its faults with their places."""
