"""Import: a file or a body of many lines, each recorded as if it had come by itself."""
