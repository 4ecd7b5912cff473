"""Model files and checkpoints: reading and writing, of untrusted bytes too."""
