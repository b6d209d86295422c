"""Every subscription: offered, live or stopped, and what its latest cycle brought."""
