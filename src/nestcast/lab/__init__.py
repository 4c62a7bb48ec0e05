"""Experiments on cells: character models compared at matched sizes, and pictures of memory."""
