"""What the user reads: the result as versioned JSON, and as tables on a terminal."""
