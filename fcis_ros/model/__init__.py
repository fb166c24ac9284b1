"""From an RGB image to instances."""
