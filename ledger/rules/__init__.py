"""Country rules as dated, sourced data, and the settings no pack can know."""
