"""A model of the queue in plain Python, walked side by side with the real SQL."""
