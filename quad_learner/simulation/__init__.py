"""What stands in for the hardware? A PyBullet robot with the sensors and delays of a real one."""
