"""The protocols that are measured: one folder per protocol, whose `PROTOCOL` the registry finds."""
