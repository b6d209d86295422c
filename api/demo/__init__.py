"""The demonstration: a French book, a gateway, and what its readers see."""
