"""What the whole library uses: checks of arguments, randomness, progress bars, restoring a module."""
