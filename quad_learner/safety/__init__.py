"""What may it do? Limits, monitors, modes: the wall between a network and the motors."""
