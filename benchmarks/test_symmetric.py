"""AES, the generator and the hash of labels, compared with the machine's AES rate and memory."""

import pytest

from pi_bench.primitives import CaseSettings
from pi_bench.primitives.symmetric import SYMMETRIC

CASES = [
    *(("aes", number) for number in range(4)),  # two ways, in cache and streamed
    *(("prg", number) for number in range(2)),
]


@pytest.mark.parametrize(("family", "number"), CASES)
def test_symmetric(time_case, family: str, number: int, isa: str) -> None:
    for index, case in enumerate(SYMMETRIC.families[family](CaseSettings(isa=isa))):
        if index == number:
            time_case(case, isa)
