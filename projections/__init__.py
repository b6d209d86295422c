"""The read side: folds from facts to tables, and the engine that runs them."""
