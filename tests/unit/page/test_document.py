"""A page is one file that holds its data and escapes every text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pi_bench.history.result_files import read_file
from pi_bench.page import sections_of
from pi_bench.page.document import html_page
from pi_bench.page.figure_files import figure_files, plots_of
from pi_bench.page.parts import PageTable, Section
from tests.unit.page.stored_runs import HOSTILE, inputs_of, several, variant


def page_of(*documents: dict[str, Any], title: str = "title") -> str:
    return html_page(title, sections_of(inputs_of(*documents)), documents)


def scripts(page: str) -> list[tuple[str, str]]:
    return re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)


def hostile() -> dict[str, Any]:
    """A result whose texts all try to leave their place."""
    document = variant(name=HOSTILE, protocol=HOSTILE, link=HOSTILE)
    document["network"]["relu_count"] = 1
    document["verification"].update(passed=False, failures=[HOSTILE])
    document["online"]["layers"][0]["name"] = HOSTILE
    document["environment"]["cpu_model"] = HOSTILE
    document.update(warnings=[HOSTILE], notes=[HOSTILE])
    return document


def test_hostile_texts_stay_texts() -> None:
    page = page_of(hostile(), variant(), title=HOSTILE)
    harmless = page_of(variant(), variant(name="other"))
    assert [given for given, _ in scripts(page)] == [given for given, _ in scripts(harmless)]
    assert len(re.findall("<script", page)) == len(re.findall("<script", harmless))
    visible = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "<img" not in visible and "alert(1)</script>" not in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in visible
    assert "{{ 7*7 }}" in visible and "\u202e" not in page


def test_the_policy_lets_the_scripts_of_the_page_run_and_loads_nothing() -> None:
    page = page_of(variant())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    code = [text for given, text in scripts(page) if not given]
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code}
    assert set(re.findall(r"&#39;sha256-([^&]*)&#39;", policy)) == hashes and len(hashes) == 3
    assert policy.startswith("default-src &#39;none&#39;") and "http" not in policy
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)=\"(?!#)", outside)


def test_a_page_without_plots_has_its_scripts() -> None:
    code = [text for given, text in scripts(html_page("title", [Section("bytes", "Bytes")], [])) if not given]
    with_plots = [text for given, text in scripts(page_of(variant())) if not given]
    assert code == with_plots[1:] and len(code) == 2  # no first plot, and so no script that times it


def test_the_embedded_results_are_those_that_were_given(tmp_path: Path) -> None:
    documents = [hostile(), variant()]
    (packed,) = re.findall(r'id="results">([^<]*)<', page_of(*documents))
    path = tmp_path / "results.jsonl"
    path.write_bytes(gzip.decompress(base64.b64decode(packed)))
    assert [document for document, _ in read_file(path)] == json.loads(json.dumps(documents))


@pytest.mark.slow
def test_a_page_of_fifty_runs_stays_below_three_megabytes() -> None:
    documents = [variant(name=f"resnet18-cifar100-{n}", relu_count=n, factor=1 + n / 7) for n in range(50)]
    for document in documents:
        document["outputs"]["logits"] = [
            each * document["network"]["relu_count"] for each in document["outputs"]["logits"]
        ]
    assert len(page_of(*documents).encode()) < 3_000_000


@pytest.mark.slow
def test_every_plot_has_a_table_and_a_text_alternative() -> None:
    page = page_of(*several())
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) == len(plots_of(sections_of(inputs_of(*several()))))
    for figure in figures:
        assert len(re.findall(r'<th scope="row">', figure)) >= 3
        assert len(re.findall(r'role="img" aria-label="[^"]{40,}"', figure)) == 1


@pytest.mark.slow
def test_a_figure_file_marks_a_caution_in_letters() -> None:
    """Otherwise its label has another font than the others."""
    documents = several()
    documents[0]["cautions"] = [{"code": "load", "text": "other programs took 12 % of the time"}]
    svg = dict(figure_files(plots_of(sections_of(inputs_of(*documents)))[0]))["online-1.svg"].decode()
    assert "12288 · delphi · (!)<" in svg and "⚠" not in svg


@pytest.mark.slow
def test_a_figure_file_draws_the_runs_in_light_colors() -> None:
    plot = plots_of(sections_of(inputs_of(*several())))[0]
    content = dict(figure_files(plot))
    assert content["online-1.pdf"].startswith(b"%PDF-") and content["online-1.png"].startswith(b"\x89PNG")
    svg = content["online-1.svg"].decode()
    assert svg.startswith("<svg") and "var(--" not in svg and "NaN" not in svg
    assert "57344 · fss<" in svg


@pytest.mark.slow
def test_an_explained_word_leads_to_its_meaning_where_it_is_used_first() -> None:
    sections = sections_of(inputs_of(*several()))
    page = html_page("title", sections, several(), (("mode", "windowed"),))
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    links = re.findall(r'<a class="word" href="#([^"]*)">([^<]*)</a>', body)
    addresses = [address for address, _ in links]
    explained = sections[-1].tables[0].addresses.values()
    assert len(set(addresses)) == len(addresses) > 12 and set(addresses) <= set(explained)
    assert set(addresses) <= set(re.findall(r'<tr id="([^"]*)"', body))
    assert links[0] == ("word-windowed", "windowed")
    assert {"word-delphi", "word-fss", "word-floor", "word-payload"} <= set(addresses)
    assert body.index('href="#word-floor"') < body.index("<p>A point is the median")
    assert not re.search(r"<code>[^<]*<a|round</a> trip", body)


def test_words_of_a_hostile_protocol_stay_texts_where_they_are_linked() -> None:
    """A word that is a part of an escaped character does not break it."""
    table = PageTable("", ("word", "meaning"), (("lt", "less"), ("<b>", "bold")), addresses={0: "a", 1: "b"})
    page = html_page(
        "", [Section("x", "", words=("a <i> lt <b>",)), Section("words", "", tables=(table,))], []
    )
    assert '<p>a &lt;i&gt; <a class="word" href="#a">lt</a> &lt;b&gt;</p>' in page
