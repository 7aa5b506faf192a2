"""What every part of the library uses: checks of arguments, randomness, progress, putting a module back."""
