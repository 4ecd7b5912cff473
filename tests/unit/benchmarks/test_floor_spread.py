from benchmarks.floor_spread import Measured, lines, spread


def test_a_machine_that_slows_down_with_its_floor_spreads_absolutely_alone() -> None:
    quiet = [Measured(0.010, 0.005, 0.1, 0.05), Measured(0.011, 0.005, 0.1, 0.05)]
    loaded = [Measured(0.020, 0.010, 0.3, 0.05)]
    table = lines({"quiet": quiet, "1 busy": loaded})
    both = next(line for line in table if line.startswith("| online, both"))
    assert "| 10.00 / 11.00 / 20.00 | 100 % |" in both
    assert both.endswith("| 2.00 / 2.20 / 2.00 | 10 % |")
    assert "| 200 % |" in next(line for line in table if line.startswith("| offline, both"))
    assert spread([2.0, 3.0]) == 0.5
