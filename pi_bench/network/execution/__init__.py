"""The arithmetic of a program: the integer reference, and the operators on one party's shares."""
