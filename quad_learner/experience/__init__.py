"""What happened? The durable log of steps, the run directory and its report."""
