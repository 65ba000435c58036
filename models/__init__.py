"""What is sampled, and how: models, samplers, the native kernel and training."""
