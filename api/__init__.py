"""The faces of the ledger: HTTP for programs, a command line for people."""
