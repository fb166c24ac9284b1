"""Targets, losses and the loop that trains a model."""
