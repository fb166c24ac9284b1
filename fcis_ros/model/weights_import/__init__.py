"""Weights of other programs: readers of their files, and the way from their names and orders to ours."""
