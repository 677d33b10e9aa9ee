"""Where is it and how fast? Contact, orientation and velocity from what the robot itself can sense."""
