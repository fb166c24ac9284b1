"""Recordings (rosbag2): reading, writing, replaying to a running node, and the demo that does all three."""
