"""What runs? One module a process; each loads parameters, builds core objects and wires topics."""
