"""What each merchant has, by month, code, operator and service, in every state of its money."""
