"""How often each consumer was solicited for each merchant since they last returned."""
