"""Who steers? Commands of a person or a planner, and the learned policies that follow them."""
