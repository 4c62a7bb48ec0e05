"""`python -m nestcast` is the command."""

from nestcast.cli import main

main()
