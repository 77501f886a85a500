"""Other people's frameworks: adapters for their layers, and findings about their releases."""
