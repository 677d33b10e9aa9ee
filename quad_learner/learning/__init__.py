"""How does it learn? Networks, constrained SAC, multiplier, replay, checkpoint and export."""
