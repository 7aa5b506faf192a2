"""Warmup inside other people's training code; each module needs the extra that is named like it."""
