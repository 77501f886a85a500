"""Independent checks: each knows the definition of an operation and shares no code with it."""
