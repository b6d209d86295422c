"""What is on its way to the consumers: pushed messages, and notices that are due."""
