"""The C++ kernel: `_kernel` is its binding, `mix` what of it the server uses beside the sampler."""
