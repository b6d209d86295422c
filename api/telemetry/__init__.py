"""What a running process tells of itself: figures, logs for machines, traces on request.

None of it holds a number, a text, a key or a query: names of books, routes and kinds of facts only.
"""
