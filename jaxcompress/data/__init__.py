"""Readers and batches. Nothing here imports jax or a method."""
