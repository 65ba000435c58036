"""HTTP and WebSocket routes, thin: they turn requests into messages for the engine, and its answers into bytes."""
