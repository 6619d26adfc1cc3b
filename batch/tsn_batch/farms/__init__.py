"""Render farms: job folders, their submission to Slurm, Open Job Description and OpenCue, and their steps."""
