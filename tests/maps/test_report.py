"""The report: every number of the scores is in it, nothing outside is, and no name breaks it."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import OutputError
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.learn.card import BandCard, ClassCard
from geoseg.learn.metrics import Tally
from geoseg.learn.scores import decimals
from geoseg.maps.charts import precision_recall_chart, reliability_chart
from geoseg.maps.drawing import readable
from geoseg.maps.pictures import (
    FALSE,
    LEFT_OUT,
    MISSED,
    RIGHT,
    WRONG,
    class_picture,
    difference_picture,
    image_picture,
    outcome_picture,
    png_uri,
    shrink,
    visible_bands,
)
from geoseg.maps.report import ChipPictures, Evaluation, confusion_table, write_report
from geoseg.maps.split_map import SceneChips, split_chart
from geoseg.maps.wording import percent
from geoseg.samples.plan import ChipPlan
from tests.worlds import make_card

HOSTILE = ('<script>alert("x")</script>', "$\\alpha_1$ & 'quoted' \"twice\"", "_hidden",
           "{{ 7 * 7 }} {% raw %}")
PLAIN = ("field", "forest", "water", "road")


class Page(HTMLParser):
    """What a browser would see: text, tags, attributes, and the cells of each table row."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.rows, self.words = [], [], [], []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data):
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data


def make_legend(names, *, overlapping=False):
    return Legend(tuple(LegendClass(i, name, f"#{40 * i + 20:02x}8080")
                        for i, name in enumerate(names)), overlapping)


def make_plan(legend, splits=("train", "train", "test", "test")):
    """Four chips in a row; the class shares are those of a plan of another scene."""
    rows = [{"scene": "/data/town.tif", "label": "/data/labels.tif", "col": 64 * i, "row": 0,
             "width": 64, "height": 64, "split": split, "block": i, "valid": 0.5, "weight": 1.0,
             **{f"share_{c}": 1 / len(legend) for c in range(len(legend))},
             "geometry": shapely.box(64 * i, 0, 64 * i + 64, 64)} for i, split in enumerate(splits)]
    return ChipPlan(gpd.GeoDataFrame(rows, crs="EPSG:32633"), legend, 64, 64, 7)


def make_tally(legend, *, absent=None, seed=0, objects=None):
    """Random labels, and probabilities that lean towards them."""
    rng = np.random.default_rng(seed)
    classes, size = len(legend), 40
    if legend.overlapping:
        labels = (rng.random((2, classes, size, size)) < 0.4).astype(np.uint8)
        probabilities = np.clip(0.6 * labels + 0.5 * rng.random(labels.shape), 0, 1)
        if absent is not None:
            labels[:, absent] = 0
    else:
        labels = rng.choice([c for c in range(classes) if c != absent], (2, size, size))
        scores = np.exp(rng.normal(size=(2, classes, size, size))
                        + 2 * (labels[:, None] == np.arange(classes)[:, None, None]))
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        labels = labels.astype(np.uint8)
    tally = Tally(legend, boundary=True, chips=True, objects=objects)
    tally.add(probabilities.astype(np.float32), labels)
    return tally


def make_evaluation(names=PLAIN, *, overlapping=False, absent=None, objects=None, **card):
    legend = make_legend(names, overlapping=overlapping)
    uri = png_uri(np.zeros((4, 4, 3), np.uint8))
    made = make_card(task="overlapping" if overlapping else "exclusive", **card)
    history = [{"step": s, "loss": 1 / s, "val_mean_iou": 1 - 1 / s} for s in (10, 20, 30)]
    made = made.model_copy(update={
        "classes": [ClassCard(name=item.name, color=item.color) for item in legend],
        "training": {"steps": 30, "best_step": 20, "history": history}})
    chip = ChipPictures(names[0], "column 1, row 2", 0.25, f"{names[0]} taken for {names[1]}",
                        uri, uri, uri, uri)
    boxes = {"train": np.array([[0, 0, 64, 64]]), "test": np.array([[128, 0, 64, 64]])}
    scene = SceneChips(names[0], (64, 256), (2.0, 2.0), "m", boxes, "test", None)
    return Evaluation(made, f"{names[0]}.safetensors", make_plan(legend), "test",
                      make_tally(legend, absent=absent, objects=objects), [chip], [scene])


def render(evaluation, folder):
    write_report(evaluation, folder / "report.html")
    text = (folder / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


@pytest.mark.parametrize("overlapping", [False, True])
def test_every_number_of_the_scores_is_in_the_table(tmp_path, overlapping):
    evaluation = make_evaluation(overlapping=overlapping)
    _, page = render(evaluation, tmp_path)
    scores = evaluation.tally.scores()
    assert ["class", "IoU", "Dice", "precision", "recall", "avg. precision", "edge F1",
            "labelled px", "mapped px"] in page.rows
    for item in scores.classes:
        numbers = [item.iou, item.dice, item.precision, item.recall, item.average_precision,
                   item.boundary_f1]
        assert [item.name, *map(decimals, numbers), f"{item.support:,}",
                f"{item.predicted:,}"] in page.rows
    text = "".join(page.words)
    for value in (scores.accuracy, scores.mean_iou, scores.mean_dice, scores.ece):
        assert f"{value:.3f}" in text
    assert f"{scores.pixels:,} labelled pixels" in text or overlapping
    assert ("kappa" in text) is not overlapping


def test_the_confusion_table_is_the_normalised_matrix(tmp_path):
    evaluation = make_evaluation()
    _, page = render(evaluation, tmp_path)
    matrix = np.array(evaluation.tally.scores().confusion[0])
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    for name, row, counts in zip(PLAIN, shares, matrix, strict=True):
        assert [name, *map(percent, row), f"{counts.sum():,}"] in page.rows
    for row in confusion_table(evaluation.tally.scores()):
        assert sum(share for share, _ in row["cells"]) == pytest.approx(1)


def test_overlapping_confusion_says_found_missed_and_wrongly_mapped(tmp_path):
    evaluation = make_evaluation(overlapping=True)
    _, page = render(evaluation, tmp_path)
    for item, matrix in zip(evaluation.tally.scores().classes,
                            evaluation.tally.scores().confusion, strict=True):
        assert [item.name, percent(item.recall), percent(1 - item.recall),
                percent(matrix[0][1] / sum(matrix[0])), f"{item.support:,}"] in page.rows


def test_json_equals_the_scores(tmp_path):
    evaluation = make_evaluation(absent=3)
    render(evaluation, tmp_path)
    read = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert read == evaluation.tally.scores().to_dict()
    assert read["classes"][3]["iou"] is None


def drawings(page):
    """Decode the SVG pictures of a page."""
    head = "data:image/svg+xml;base64,"
    return [base64.b64decode(value.removeprefix(head)).decode() for _, name, value
            in page.attributes if name == "src" and value.startswith(head)]


def external(text):
    """Addresses that a viewer would fetch; namespace names are none."""
    return [address for address in re.findall(r"""(?:href|src)\s*=\s*["']([^"']*)|url\(([^)]*)""",
                                              text)
            if not "".join(address).strip("'\"").startswith(("#", "data:"))]


@pytest.mark.parametrize("overlapping", [False, True])
def test_further_scores_are_told_with_their_meaning(tmp_path, overlapping):
    evaluation = make_evaluation(overlapping=overlapping, absent=2)
    _, page = render(evaluation, tmp_path)
    scores = evaluation.tally.scores()
    told = {row[0]: row[1:] for row in page.rows if len(row) == 3 and row[0]}
    expected = {"mean soft IoU": scores.mean_soft_iou, "Dice per chip": scores.mean_chip_dice}
    if not overlapping:
        expected["balanced accuracy"] = scores.balanced_accuracy
    assert {name: value for name, (value, _) in told.items()} == {
        name: f"{value:.3f}" for name, value in expected.items()}
    assert all(meaning.endswith(".") for _, meaning in told.values())
    for item in scores.classes:
        assert [item.name, decimals(item.soft_iou), decimals(item.chip_dice),
                decimals(item.accuracy)] in page.rows
    assert scores.classes[2].soft_iou is None
    assert scores.classes[2].chip_dice is not None


def test_objects_come_first_among_the_further_scores(tmp_path):
    evaluation = make_evaluation(HOSTILE, objects=HOSTILE[0])
    _, page = render(evaluation, tmp_path)
    found = evaluation.tally.scores().objects
    told = [row for row in page.rows if len(row) == 3 and row[0]]
    assert [row[0] for row in told[:2]] == [f"V_rand of {HOSTILE[0]}", f"V_info of {HOSTILE[0]}"]
    assert [row[1] for row in told[:2]] == [decimals(found.v_rand), decimals(found.v_info)]
    assert f"a probability of {found.best_v_rand_at:g} on" in told[0][2]
    assert f"{found.best_v_rand:.3f}, the best" in told[0][2]
    assert "mean over 2 chips" in told[0][2]
    assert f"{found.best_v_info:.3f}" in told[1][2]


@pytest.mark.parametrize("names", [PLAIN, HOSTILE])
def test_nothing_outside_the_file_is_needed(tmp_path, names):
    text, page = render(make_evaluation(names), tmp_path)
    assert {"script", "link", "iframe", "object", "embed"}.isdisjoint(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("data:image/") for _, name, value in page.attributes
               if name in ("src", "href"))
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert "@import" not in text
    found = drawings(page)
    assert len(found) == 4
    for drawing in found:
        assert external(drawing) == []
        ElementTree.fromstring(drawing)


def test_hostile_names_are_shown_as_they_are(tmp_path):
    evaluation = make_evaluation(HOSTILE)
    text, page = render(evaluation, tmp_path)
    assert "<script>" not in text
    assert "49" not in "".join(page.words[:10])
    cells = [row[0] for row in page.rows if row]
    assert all(name in cells for name in HOSTILE)
    curves = next(ElementTree.fromstring(drawing) for drawing in drawings(page)
                  if "average precision" in drawing)
    labels = {"".join(node.itertext()).strip() for node in curves.iter()
              if node.tag.endswith("text")}
    for item in evaluation.tally.scores().classes:
        assert f"{item.name} ({item.average_precision:.2f})" in labels


def test_a_colour_cannot_carry_a_style(tmp_path):
    evaluation = make_evaluation()
    classes = [ClassCard.model_construct(name=item.name, color="#102030;background:url(x)")
               for item in evaluation.card.classes]
    evaluation = replace(evaluation, card=evaluation.card.model_copy(update={"classes": classes}))
    text, _ = render(evaluation, tmp_path)
    assert "url(x)" not in text
    assert "background: #102030\"" in text


def test_a_class_without_labels_is_na_and_named_in_the_caveats(tmp_path):
    _, page = render(make_evaluation(absent=2), tmp_path)
    row = next(row for row in page.rows if row and row[0] == "water" and len(row) == 9)
    assert row[1:8] == ["n/a"] * 6 + ["0"]
    text = " ".join("".join(page.words).split())
    assert "No label shows water" in text
    assert "over 3 of 4 classes" in text
    assert "mean IoU of 3 classes" in text


def test_caveats_fit_the_case(tmp_path):
    evaluation = make_evaluation(georeferenced=False)
    text, _ = render(evaluation, tmp_path)
    assert "same scenes as training chips" in text
    assert "Only 2 chips were scored" in text
    assert "no georeference" in text
    text, _ = render(replace(evaluation, split="train"), tmp_path)
    assert "trained on" in text
    assert "same scenes" not in text


def test_facts_of_model_and_plan_are_told(tmp_path):
    evaluation = make_evaluation(licence="© somebody, ODbL", temperature=1.25)
    _, page = render(evaluation, tmp_path)
    facts = dict(row for row in page.rows if len(row) == 2)
    assert facts["Licence and attribution"] == "© somebody, ODbL"
    assert facts["Temperature"] == "1.250"
    assert facts["Scenes"] == "town.tif"
    assert facts["Training"] == "30 steps, weights of step 20 kept"
    assert ["test", "2", "4,096", *[percent(0.25)] * 4] in page.rows


def test_one_class_and_no_extras_still_make_a_page(tmp_path):
    evaluation = make_evaluation(("road", "other"), overlapping=True, absent=1)
    card = evaluation.card.model_copy(update={"training": {}})
    _, page = render(replace(evaluation, card=card, worst=[], scenes=[]), tmp_path)
    assert len(drawings(page)) == 2
    assert "The worst chips" not in page.words


def test_neither_file_is_left_when_one_cannot_be_written(tmp_path):
    evaluation = make_evaluation()
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OutputError):
        write_report(evaluation, tmp_path / "report.html")
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


@given(st.floats(0, 1))
def test_only_exact_shares_read_as_none_or_all(value):
    text = percent(value).replace("\N{NO-BREAK SPACE}", " ")
    assert (text == "0 %") == (value == 0)
    assert (text == "100 %") == (value == 1)
    number = float(text.strip("<> %"))
    assert number == pytest.approx(100 * value, abs=0.1001)


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_lines_show_on_white(color):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
              for c in (int(readable(color)[i:i + 2], 16) / 255 for i in (1, 3, 5))]
    assert 1.05 / (np.dot(linear, (0.2126, 0.7152, 0.0722)) + 0.05) > 2.95


def test_many_scenes_and_many_chips_are_drawn():
    rng = np.random.default_rng(0)
    boxes = {split: np.c_[rng.integers(0, 900, (600, 2)), np.full((600, 2), 32)]
             for split in ("train", "val", "test")}
    scenes = [SceneChips(f"scene $ {i}", (1000, 1000), (1.0, 1.0), "px", boxes, "test",
                         np.zeros((50, 50, 3), np.uint8)) for i in range(4)]
    drawing = base64.b64decode(split_chart(scenes).split(",")[1]).decode()
    assert "test (scored): 2,400 chips" in drawing
    assert "200 px" in drawing
    assert "scene $ 3" in drawing


def texts(uri):
    """All words of a drawing."""
    root = ElementTree.fromstring(base64.b64decode(uri.split(",")[1]).decode())
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")]


def test_curves_of_several_models_are_drawn_in_one_chart_with_their_names():
    tallies = {name: make_tally(make_legend(PLAIN), seed=seed)
               for seed, name in enumerate(("fcn-8s", "_u$net"))}
    curves = {name: tally.precision_recall("water") for name, tally in tallies.items()}
    words = texts(precision_recall_chart(curves, title="water of"))
    assert "water of (average precision)" in words
    for name, tally in tallies.items():
        assert f"{name} ({tally.scores()['water'].average_precision:.2f})" in words
    words = texts(reliability_chart({name: tally.reliability()
                                     for name, tally in tallies.items()}))
    assert "as it should be" not in words
    for name, tally in tallies.items():
        assert f"{name} ({tally.scores().ece:.3f})" in words


def test_a_curve_without_anything_leaves_its_name_out_of_the_chart():
    empty = Tally(make_legend(PLAIN))
    full = make_tally(make_legend(PLAIN))
    words = texts(precision_recall_chart({"none": empty.precision_recall("road"),
                                          "some": full.precision_recall("road")}))
    assert not [word for word in words if word.startswith("none")]
    assert [word for word in words if word.startswith("some")]
    words = texts(reliability_chart({"none": empty.reliability(), "some": full.reliability()}))
    assert "none (n/a)" in words


def band(index, name="", low=0.0, high=100.0):
    return BandCard(index=index, name=name, dtype="uint8", offset=0, gain=1, low=low, high=high)


def test_colours_are_taken_from_the_bands_that_are_called_so():
    assert visible_bands([band(1, "B02 blue"), band(2, "B03 green"), band(3, "B04 red"),
                          band(4, "B08 nir")]) == (2, 1, 0)
    assert visible_bands([band(1, "B02"), band(2, "B03"), band(3, "B04")]) == (2, 1, 0)
    assert visible_bands([band(1), band(2), band(3), band(4)]) == (0, 1, 2)
    assert visible_bands([band(1, "VV"), band(2, "VH")]) == (0,)


def test_pictures_show_values_classes_and_differences():
    values = np.array([[[0, 50, 100]], [[-5, 200, 0]]], np.float32)
    picture = image_picture(values, np.array([[True, True, False]]), [band(1), band(2)])
    assert picture.shape == (1, 3, 3)
    assert (picture[0, 0] == 0).all()
    assert (picture[0, 2] == 255).all()
    assert 100 < picture[0, 1, 0] < 160
    legend = make_legend(PLAIN)
    classes = class_picture(np.array([[[0, 3, IGNORE]]], np.uint8), legend)
    assert classes.tolist() == [[list(legend.classes[0].rgb), list(legend.classes[3].rgb),
                                 [255, 255, 255]]]
    marked = difference_picture(classes, np.array([[False, True, False]]))
    assert (marked == WRONG).all(axis=2).tolist() == [[False, True, False]]


def test_outcomes_of_a_class_have_a_colour_each():
    image = np.full((1, 5, 3), 200, np.uint8)
    mapped = np.array([[True, False, True, False, True]])
    labelled = np.array([[True, True, False, False, True]])
    known = np.array([[True, True, True, True, False]])
    picture = outcome_picture(image, mapped, labelled, known)[0].tolist()
    assert picture[:3] == [list(RIGHT), list(MISSED), list(FALSE)]
    assert picture[3] == [220, 220, 220]
    assert picture[4] == list(LEFT_OUT)
    assert (image == 200).all()


def test_later_overlapping_classes_cover_earlier_ones():
    legend = make_legend(PLAIN[:2], overlapping=True)
    values = np.array([[[1, 1, 0, 255]], [[0, 1, 0, 255]]], np.uint8)
    picture = class_picture(values, legend)[0].tolist()
    assert picture[0] == list(legend.classes[0].rgb)
    assert picture[1] == list(legend.classes[1].rgb)
    assert picture[3] == [255, 255, 255]
    assert picture[2] not in (picture[0], picture[1], picture[3])


def test_png_addresses_hold_the_pixels():
    picture = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    data = base64.b64decode(png_uri(picture).removeprefix("data:image/png;base64,"))
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(read, picture)


def test_shrinking_keeps_proportions_and_categories():
    picture = np.zeros((100, 400), np.uint8)
    picture[:, 200:] = 9
    small = shrink(picture, 80, categories=True)
    assert small.shape == (20, 80)
    assert set(np.unique(small)) == {0, 9}
    assert shrink(picture, 500) is picture
