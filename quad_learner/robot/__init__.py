"""What is the robot? Its model, its kinematics and the signals that pass to and from it."""
