"""What is asked of it? Observation, action, reward, constraint and episodes."""
