"""One class name has one meaning (docs/glossary.md): a reader who knows a name knows the thing."""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = Path("pi_bench/report/documents")
RECORDS_WITH_A_DOCUMENT = {
    *(
        "Fidelity",
        "FidelityGoal",
        "Floor",
        "Fusion",
        "MeasuredLink",
        "PhaseFloor",
        "PredictedBytes",
        "Remedy",
    ),
}
"""A record and the document that writes it as JSON share their name."""


def test_a_class_name_is_defined_once_or_for_a_record_and_its_document() -> None:
    places: dict[str, list[Path]] = defaultdict(list)
    for folder in ("pi_bench", "protocols", "models"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name in re.findall(r"^class ([A-Za-z]\w*)", path.read_text(), re.MULTILINE):
                places[name].append(path.relative_to(ROOT))
    assert len(places) > 400
    several = {
        name: [str(path) for path in paths]
        for name, paths in places.items()
        if len(paths) > 1
        and not (
            name in RECORDS_WITH_A_DOCUMENT
            and len(paths) == 2
            and [path.parent == DOCUMENTS for path in paths].count(True) == 1
        )
    }
    assert several == {}
