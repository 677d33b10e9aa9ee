"""How does it get up? From any fallen pose to standing, without a person."""
