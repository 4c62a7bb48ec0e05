"""What the commands do, once `cli.py` has parsed their options."""
