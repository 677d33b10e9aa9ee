"""Where is it and how fast? Contact, attitude and velocity from what the robot itself senses."""
