"""What is measured: one folder a protocol, each with `PROTOCOL`, found by `pi_bench.registry`."""
