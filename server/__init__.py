"""Many listeners over one sampler: the protocol, sessions, the engine and its routes."""
