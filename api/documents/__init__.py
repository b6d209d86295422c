"""Documents that leave the ledger: CSV that is safe to open, and the export for an audit."""
