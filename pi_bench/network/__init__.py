"""Networks: the float graph of a model file, the compiler, and the public program that parties run."""
