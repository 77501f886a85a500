"""Other people's frameworks: adapters for their layers, and what was found in their releases."""
