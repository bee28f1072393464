"""Tables as text."""

from geoseg.tables import aligned


def test_words_stand_left_and_numbers_right() -> None:
    lines = [["class", "kind", "IoU"], ["a", "longer", "0.5"], ["water", "", "12.25"]]
    assert aligned(lines, 2) == ("class  kind      IoU\n"
                                 "a      longer    0.5\n"
                                 "water          12.25")
    assert aligned([["", "n"], ["x", ""]]) == "   n\nx"
