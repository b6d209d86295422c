"""The benchmark: the ledger beside what bounds it and what one would take instead, in one run."""
