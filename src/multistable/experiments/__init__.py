"""Experiments that show what a warmup does to learning."""
