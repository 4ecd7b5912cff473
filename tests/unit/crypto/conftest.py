import pytest

from pi_bench import _native


def available_paths() -> list[str]:
    paths = []
    for isa in ("aesni", "vaes512"):
        try:
            paths.append(_native.symmetric.resolve_isa(isa))
        except _native.symmetric.UnsupportedCpuError:
            continue
    return paths


@pytest.fixture(params=available_paths())
def isa(request: pytest.FixtureRequest) -> str:
    """Each instruction-set path that this processor can run."""
    return request.param
