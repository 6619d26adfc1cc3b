"""The process itself: its interpreter, signals, memory and threads."""
