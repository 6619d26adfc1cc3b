"""Style space in, painted style space out: painters, their nets, and the calibration on a shot."""
