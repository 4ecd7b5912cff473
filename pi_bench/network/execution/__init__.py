"""What a program computes: the integer reference, and the operators on one party's shares."""
