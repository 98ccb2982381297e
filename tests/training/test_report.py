"""The report: one page that is complete in itself, whatever the log contains."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from gpugrad.training.charts import MOST, Chart, Curve, svg, ticks
from gpugrad.training.log import Log
from gpugrad.training.report import write_report


@pytest.fixture
def log(tmp_path):
    with Log(tmp_path / "run", tensorboard=False) as made:
        yield made


def report(log):
    return write_report(log.folder).read_text(encoding="utf-8")


def pictures(text):
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.S)]


def paths(picture):
    return [element for element in picture.iter() if element.tag.endswith("path")]


def points(path):
    return [tuple(map(float, pair.split())) for pair in path.attrib["d"][1:].split("L")]


def fill(log, steps, **more):
    for step in steps:
        log.write(step, {"loss": 1 / step, **more}, seconds=float(step))


def test_the_page_asks_for_nothing(log):
    log.settings({"model": '<script src="https://example.org/x.js"></script>'})
    log.write(1, {"loss": 0.5, '<img src=x onerror="alert(1)">': 1.0})
    log.event("<b>bold</b>", 1, note="<i>")
    text = report(log)
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert not re.search(r'(?:src|href|url\()\s*=?\s*["\']?https?:', text)
    assert "default-src 'none'" in text


def test_train_and_validation_share_a_chart(log):
    log.write(1, {"loss": 2.0, "validation/loss": 2.5, "learning rate": 0.1})
    log.write(2, {"loss": 1.0, "validation/loss": 1.5, "learning rate": 0.1})
    first, second = pictures(report(log))
    assert len(paths(first)) == 2
    assert len(paths(second)) == 1
    assert first.attrib["aria-label"].startswith("loss: loss from 2 to 1, validation/loss from 2.5 to 1.5")


def test_a_resumed_run_is_one_curve_with_a_mark(log):
    fill(log, range(1, 31))
    log.resume(20)
    fill(log, range(21, 41))
    text = report(log)
    (picture,) = pictures(text)
    (path,) = paths(picture)
    places = [x for x, _ in points(path)]
    assert places == sorted(set(places))
    assert len(places) == 40
    (mark,) = [e for e in picture.iter() if e.get("class") == "mark"]
    assert float(mark.attrib["x1"]) == pytest.approx(places[19], abs=0.11)
    assert "resumed behind step 20" in text
    assert "<dt>resumed</dt><dd>1 time</dd>" in text
    assert "<dt>steps done twice</dt><dd>10</dd>" in text


def test_time_money_and_best(log):
    log.settings({"price_per_hour": 2.0, "currency": "€", "lr": 0.1})
    log.write(1, {"loss": 0.5, "accuracy": 0.5}, seconds=1800.0, epoch=1)
    log.write(2, {"loss": 0.75, "accuracy": 0.25}, seconds=5400.0, epoch=2)
    text = report(log)
    for part in ("<dd>€3.00</dd>", "<dd>1 h 30 min</dd>", "<dt>epochs</dt><dd>2</dd>", "0.5 at step 1",
                 "50.00 % at step 1", "<td>lr</td><td>0.1</td>"):  # fmt: skip
        assert part in text


def test_numbers_that_are_none_do_not_break_the_page(log):
    for step, value in enumerate([1.0, math.nan, math.inf, 0.5, -math.inf], 1):
        log.write(step, loss=value, only_nan=math.nan, text="x", flag=True)
    text = report(log)
    (path,) = paths(pictures(text)[0])
    assert len(points(path)) == 2
    assert "only_nan: no finite value" in text


def test_many_rows_are_thinned_and_keep_their_extremes(log):
    rows = [(x, 1.0) for x in range(100_000)]
    rows[31_415] = (31_415, 50.0)
    rows[27_182] = (27_182, -7.0)
    picture = ET.fromstring(svg(Chart("loss", [Curve("loss", rows)])))
    (path,) = paths(picture)
    drawn = points(path)
    assert len(drawn) <= MOST + 2
    ys = [y for _, y in drawn]
    assert max(ys) - min(ys) == pytest.approx((300 - 36 - 12) / 1.12, rel=1e-3), "both extremes are drawn"


def test_a_noisy_curve_stands_behind_its_means(log):
    fill(log, range(1, 301))
    (picture,) = pictures(report(log))
    faint, clear = paths(picture)
    assert "faint" in faint.attrib["class"]
    assert len(points(clear)) <= 60


@pytest.mark.parametrize("values", [[0.0], [3.0, 3.0], [1e-9, 2e-9], [1e12, -1e12], [1e-300, 1e300]], ids=str)
def test_odd_ranges_have_places_inside_the_picture(log, values):
    for step, value in enumerate(values, 1):
        log.write(step, loss=value)
    (picture,) = pictures(report(log))
    for x, y in points(paths(picture)[0]):
        assert 0 <= x <= 640
        assert 0 <= y <= 300


def test_an_empty_log_has_a_page(log):
    assert "There are no rows yet" in report(log)


def test_a_folder_without_a_log_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder with a log"):
        write_report(tmp_path)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 17), (1e-5, 3e-5), (5, 5), (0, 123456), (-1e-3, 1e3)])
def test_ticks_are_few_and_inside(low, high):
    found = ticks(low, high)
    assert 1 <= len(found) <= 11
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert found == sorted(set(found))


def test_charts_have_one_scale_of_steps(log):
    log.write(1, loss=1.0)
    log.write(50, loss=0.5, accuracy=0.5)
    log.write(100, loss=0.25, accuracy=0.75)
    first, second = (paths(picture)[0] for picture in pictures(report(log)))
    assert points(first)[1][0] == points(second)[0][0]
    assert points(first)[-1][0] == points(second)[-1][0]
