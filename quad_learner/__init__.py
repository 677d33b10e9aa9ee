"""A quadruped learns to walk on the robot itself, unattended and without breaking itself."""
