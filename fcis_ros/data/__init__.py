"""Datasets: COCO instance JSON and synthetic driving scenes."""
