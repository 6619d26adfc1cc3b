"""What the training scripts are made of; see docs/research/training.md."""
