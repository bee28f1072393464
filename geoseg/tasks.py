"""The tasks of the worker: parameters as JSON has them in, an answer as JSON has it out.

A task is a verb under its own name; its parameters are the verb's. Only a recipe may be more than a
name or path: `{"base": ..., "classes": [...], "settings": {...}}`, see `geoseg.class_table`. Two
tasks have no verb: `check` tries out the installation, `recipes` lists the shipped ones.

An answer has `files` (by name; `out` is the one asked for), flat `numbers`, a `text` for the log,
and, where layers are best called by what they hold, `titles` of some of the files.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from geoseg.errors import GeosegError
from geoseg.progress import Progress

Values = Mapping[str, Any]
Answer = dict[str, Any]
Work = Callable[[Values, Progress], Answer]


def load(task: str) -> Work:
    """Import what a task needs, and return it as a function of parameters and progress.

    Raises:
        GeosegError: There is no such task.
    """
    if task not in _ANSWERS:
        raise GeosegError(f"task {task!r}", "is not known", _hint(task, _ANSWERS))
    module, name = _WITHOUT_VERB.get(task, ("geoseg", task))
    verb = getattr(import_module(module), name)

    def work(params: Values, progress: Progress) -> Answer:
        given = _arguments(task, verb, params)
        heard = {"progress": progress} if "progress" in inspect.signature(verb).parameters else {}
        return _ANSWERS[task](verb(**given, **heard), given)

    return work


def _arguments(task: str, verb: Callable[..., object], params: Values) -> dict[str, Any]:
    """Return the verb's arguments, after checking that it takes them and misses none.

    Raises:
        GeosegError: A parameter is unknown or missing, or the recipe cannot be made.
    """
    known = {name: parameter for name, parameter in inspect.signature(verb).parameters.items()
             if name != "progress"}
    for name in params:
        if name not in known:
            raise GeosegError(task, f"has no parameter {name!r}", _hint(name, known))
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in params:
            raise GeosegError(task, f"needs the parameter {name!r}", "Give it a value")
    if params.get("devices", 1) != 1:
        raise GeosegError("devices", f"is {params['devices']}, but only one can be used from here",
                          "Train on several devices with the command line: geoseg train --devices")
    given = dict(params)
    if isinstance(given.get("recipe"), Mapping):
        given["recipe"] = _recipe(given["recipe"])
    return given


def _recipe(parts: Values) -> object:
    from geoseg.class_table import assemble_recipe

    for name in parts:
        if name not in ("base", "classes", "settings"):
            raise GeosegError("recipe", f"has no part {name!r}", "Give base, classes and settings")
    if not parts.get("base"):
        raise GeosegError("recipe", "has no base", "Name a shipped recipe, or a TOML file")
    return assemble_recipe(parts["base"], parts.get("classes"), parts.get("settings"))


def _hint(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    lead = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{lead}Known are {', '.join(known)}"


def _answer(given: Values, numbers: Values, text: str, **files: object) -> Answer:
    """Return an answer; files that were not made are None and left out."""
    made = {"out": given.get("out"), **files}
    return {"files": {name: str(path) for name, path in made.items() if path is not None},
            "numbers": dict(numbers), "text": text}


def _osm(path: Path, given: Values) -> Answer:
    from geoseg.measures import feature_numbers

    numbers = feature_numbers(path)
    found = {layer: f"{path}|layername={layer}" for layer in numbers if layer != "features"}
    counts = ", ".join(f"{count} {layer}" for layer, count in numbers.items())
    return _answer(given, numbers, f"Fetched {counts}.", **found)


def _class_raster(path: Path, given: Values) -> Answer:
    from geoseg.describe import info
    from geoseg.measures import share_numbers

    numbers = share_numbers(path)
    names = info(path)["classes"]
    lines = [f"{name}: {share:.1%} of the area"
             for name, share in zip(names, numbers.values(), strict=True)]
    return _answer(given, numbers, "\n".join(lines))


def _plan(plan: Any, given: Values) -> Answer:  # noqa: ANN401
    from geoseg.measures import chip_numbers

    return _answer(given, chip_numbers(plan), plan.table())


def _export(folder: Path, given: Values) -> Answer:
    from geoseg.samples.tiles import find_tiles

    count = len(find_tiles(folder))
    return _answer(given, {"chips": count}, f"Wrote {count} pairs of tiles.")


def _train(model: Any, given: Values) -> Answer:  # noqa: ANN401
    from geoseg.learn.scores import Scores
    from geoseg.measures import score_numbers

    card, path = model.card, model.path
    folder = Path(given.get("run_dir") or path.with_name(f"{path.stem}-run"))
    numbers = {**score_numbers(card.scores), "steps": card.training["steps"],
               "best_step": card.training["best_step"]}
    text = f"On the validation chips:\n{Scores.from_dict(card.scores).table()}"
    return _answer(given, numbers, text, run_dir=folder, curves=folder / "curves.png")


def _info(facts: dict[str, Any], given: Values) -> Answer:
    from geoseg.describe import describe
    from geoseg.measures import score_numbers

    scores = facts["card"]["scores"] if facts["kind"] == "model" else {}
    return {**_answer(given, score_numbers(scores) if scores else {}, describe(facts)),
            "facts": facts}


def _probabilities(path: Path, given: Values) -> Answer:
    return _answer(given, {}, f"Wrote {path}.", uncertainty=given.get("uncertainty"))


def _polygons(path: Path, given: Values) -> Answer:
    from geoseg.measures import column_numbers

    numbers = column_numbers(path, "area_m2", "area_px")
    return _answer(given, numbers, f"Wrote {numbers['features']} polygons.")


def _sea_land(path: Path, given: Values) -> Answer:
    from geoseg.measures import column_numbers

    numbers = column_numbers(path, "area_km2")
    return _answer(given, numbers, f"Wrote {numbers['features']} polygons of sea and land.")


def _coastline(path: Path, given: Values) -> Answer:
    from geoseg.measures import column_numbers

    numbers = column_numbers(path, "length_m", "length_px")
    numbers["lines"] = numbers["features"]
    return _answer(given, numbers, f"Wrote {numbers['lines']} lines.",
                   polygons=given.get("polygons"))


def _accuracy(scores: Any, given: Values) -> Answer:  # noqa: ANN401
    from geoseg.measures import direction_numbers

    truth = scores.calibration
    numbers = {**direction_numbers(scores), "both_ways": scores.symmetric,
               "bias": scores.missed.bias, "sigma_factor": None if truth is None else truth.factor}
    return _answer(given, numbers, scores.table(), json=given.get("json"))


def _transects(path: Path, given: Values) -> Answer:
    from geoseg.measures import column_numbers

    numbers = {"transects": column_numbers(path)["features"]}
    return _answer(given, numbers, f"Cast {numbers['transects']} transects.")


def _change(change: Any, given: Values) -> Answer:  # noqa: ANN401
    """Tell of the layers too, by titles: `transects`, `transects_2`, ... by source; `crossings`."""
    from geoseg.coast.change.layers import CROSSINGS
    from geoseg.geo.vector import layers

    by_source = [layer for layer in layers(change.path) if layer != CROSSINGS]
    names = {f"transects_{place}" if place > 1 else "transects": layer
             for place, layer in enumerate(by_source, start=1)} | {"crossings": CROSSINGS}
    titles = {} if len(change.sources) == 1 else {
        key: f"Change: {source.name}" for key, source in zip(names, change.sources, strict=False)}
    numbers = {"transects": len(change.transects.names), "sources": len(change.sources),
               "significant": sum(len(source.significant) for source in change.sources),
               "median_rate": change.sources[0].median_rate}
    found = {key: f"{change.path}|layername={layer}" for key, layer in names.items()}
    return {**_answer(given, numbers, change.table(), report=change.report, **found),
            "titles": titles}


def _evaluate(scores: Any, given: Values) -> Answer:  # noqa: ANN401
    from geoseg.measures import score_numbers

    return _answer(given, score_numbers(scores.to_dict()), scores.table(),
                   scores=Path(given["out"]).with_suffix(".json"))


def _compare(found: Any, given: Values) -> Answer:  # noqa: ANN401
    best = found.best
    numbers = {"settings": len(found.rows), "mean": best.mean, "spread": best.spread}
    return _answer(given, numbers, "\n".join([found.table(), *found.sentences]),
                   report=found.report)


def _overview(path: Path, given: Values) -> Answer:
    return _answer(given, {}, f"Wrote {path}.")


def _run(result: Any, given: Values) -> Answer:  # noqa: ANN401
    from geoseg.learn.scores import Scores
    from geoseg.measures import chip_numbers, column_numbers, score_numbers
    from geoseg.samples.plan import ChipPlan

    made = result.products
    scores = json.loads(made["report"].with_suffix(".json").read_text(encoding="utf-8"))
    numbers = {**score_numbers(scores), **chip_numbers(ChipPlan.read(made["chips"])),
               **column_numbers(made["polygons"], "area_m2", "area_px")}
    if "coastline" in made:
        line = column_numbers(made["coastline"], "length_m", "length_px")
        numbers.update({name: line[name] for name in line if name != "features"})
    return _answer(given, numbers, Scores.from_dict(scores).table(), **made)


def _check(facts: dict[str, Any], given: Values) -> Answer:
    text = (f"geoseg {facts['geoseg']} works with Python {facts['python']} and torch "
            f"{facts['packages']['torch']} on {facts['device']}.")
    return {**_answer(given, {}, text), "device": facts["device"],
            "versions": {"geoseg": facts["geoseg"], "python": facts["python"],
                         **facts["packages"]}}


def _recipes(names: tuple[str, ...], given: Values) -> Answer:
    from geoseg.recipe import Recipe

    found = {name: Recipe.read(name).description for name in names}
    text = "\n".join(f"{name:<16}{description}" for name, description in found.items())
    return {**_answer(given, {}, text), "recipes": found}


_WITHOUT_VERB = {"check": ("geoseg.selfcheck", "selfcheck"),
                 "recipes": ("geoseg.recipe", "shipped_recipes")}
"""Tasks that are no verb, and the functions that do them."""

_ANSWERS: dict[str, Callable[[Any, Values], Answer]] = {
    "fetch_osm": _osm, "burn_labels": _class_raster, "plan_chips": _plan, "export_chips": _export,
    "train": _train, "info": _info, "predict": _probabilities, "refine": _probabilities,
    "classify": _class_raster, "polygonize": _polygons, "split_sea_land": _sea_land,
    "trace_coastline": _coastline, "measure_coastline": _accuracy, "cast_transects": _transects,
    "measure_change": _change,
    "evaluate": _evaluate, "compare": _compare, "overview": _overview,
    "run": _run, "check": _check, "recipes": _recipes,
}
"""What is told of the result of each task."""
