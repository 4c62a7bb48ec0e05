"""Reading, cleaning, rejecting and simulating; the Panel. Knows nothing of torch."""
