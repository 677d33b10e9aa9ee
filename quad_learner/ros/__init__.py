"""What do nodes share? Topics, message conversions, parameters and the spin loop."""
