"""The pages of docs/qgis: one per algorithm, with tables that say what the algorithm says."""

import ast
import re
import sys

import pytest

NOT_ALGORITHMS = {"README", "first-hour"}


@pytest.fixture(scope="module")
def reference(checkout):
    """The script that writes the tables."""
    sys.path.insert(0, str(checkout / "scripts"))
    import algorithm_reference

    return algorithm_reference


@pytest.fixture(scope="module")
def algorithms(provider):
    """Our algorithms by name, without the shipped models."""
    return {item.name(): item for item in provider.algorithms() if item.helpUrl()}


@pytest.fixture(scope="module")
def pages(checkout):
    """The texts of the pages by their names."""
    return {path.stem: path.read_text(encoding="utf-8")
            for path in (checkout / "docs" / "qgis").glob("*.md")}


def parts_of(page):
    """Return what stands between fences, by the language that they name."""
    return [(language, text.replace("\\\n", " "))
            for language, text in re.findall(r"```(\w*)\n(.*?)```", page, flags=re.DOTALL)]


def test_every_algorithm_has_a_page(algorithms, pages):
    assert len(algorithms) == 18
    assert set(pages) == {*algorithms, *NOT_ALGORITHMS}
    for name, item in algorithms.items():
        assert pages[name].startswith(f"# {item.displayName()}\n")


def test_the_help_button_leads_to_the_page(algorithms, pages):
    for item in algorithms.values():
        assert re.search(r"/docs/qgis/(\w+)\.md$", item.helpUrl())[1] in pages


def test_the_tables_are_current(algorithms, pages, reference, provider):
    """If not: run scripts/algorithm_reference.py."""
    titles = reference.titles_of(provider)
    for name, item in algorithms.items():
        assert reference.renewed(pages[name], item, titles) == pages[name], name


def test_a_changed_parameter_is_noticed(algorithms, pages, reference, provider):
    page = pages["predict"].replace("`TILE`", "`TILES`")
    assert page != pages["predict"]
    renewed = reference.renewed(page, algorithms["predict"], reference.titles_of(provider))
    assert renewed == pages["predict"]


def test_commands_name_existing_parameters(algorithms, pages):
    told = set()
    for name, page in pages.items():
        for language, text in parts_of(page):
            if language:
                continue
            for algorithm, given in re.findall(r"qgis_process run geoseg:(\w+) -- (.*)", text):
                told.add(algorithm)
                assert name in (algorithm, *NOT_ALGORITHMS)
                check(algorithms[algorithm], re.findall(r"(?:^|\s)([A-Z_]+)=", given))
    assert told == set(algorithms)


def test_python_lines_name_existing_parameters(algorithms, pages):
    told = set()
    for _, page in pages.items():
        for language, text in parts_of(page):
            calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)
                     and ast.unparse(node.func) == "processing.run"] if language == "python" else []
            for call in calls:
                algorithm, given = map(ast.literal_eval, call.args)
                told.add(algorithm)
                check(algorithms[algorithm.split(":")[1]], given)
    assert told == {f"geoseg:{name}" for name in algorithms}


def check(algorithm, given):
    """Fail unless all given parameters exist, and none is missing that must be given."""
    known = {item.name(): item for item in algorithm.parameterDefinitions()}
    assert set(given) <= set(known), algorithm.name()
    for name, item in known.items():
        needed = not item.flags() & item.Flag.FlagOptional and item.defaultValue() is None
        assert name in given or not needed or item.isDestination(), (algorithm.name(), name)
