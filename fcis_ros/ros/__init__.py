"""Everything that knows ROS 2: the nodes, their parameters, and conversions from and to messages."""
