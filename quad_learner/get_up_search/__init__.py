"""Which roll-overs get this robot up? Tried in simulation on random falls, behind safety."""
