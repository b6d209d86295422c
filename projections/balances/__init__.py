"""Account balances by value day and recorded day."""
