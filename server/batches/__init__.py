"""Batches: many sounds, accepted at once, kept through crashes, drawn when nobody listens, collected later."""
