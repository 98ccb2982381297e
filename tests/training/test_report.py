"""The report: one page that is complete in itself, whatever the log contains."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from gpugrad.training.reporting.charts import MOST, Chart, Curve, svg, ticks
from gpugrad.training.reporting.log import Log
from gpugrad.training.reporting.report import page, write_report


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
    assert "resumed after step 20" in text
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


ODD = [[0.0], [3.0, 3.0], [1e-9, 2e-9], [1e12, -1e12], [1e-300, 1e300], [1.0, 1.7e308, -1.7e308]]


@pytest.mark.parametrize("values", ODD, ids=str)
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


def texts(picture, kind):
    return [element for element in picture.iter() if element.get("class") == kind]


AXES = {
    "constant": ([0.5] * 5, {}, ["0.5"]),
    "zero": ([0.0] * 5, {}, ["0"]),
    "one point": ([0.25], {"share": True}, ["25 %"]),
    "all correct": ([1.0] * 5, {"share": True}, ["100 %"]),
    "rounding": ([1.0, 1.0 + 1e-15, 1.0], {}, ["1"]),
    "hardly changes": ([1.0, 1.0 + 2e-8], {}, ["1.000000000", "1.000000005", "1.000000010", "1.000000015",
                                                "1.000000020"]),
    "far from 0": ([12345.0, 12345.02], {}, ["12,345.000", "12,345.005", "12,345.010", "12,345.015", "12,345.020"]),
    "large": ([3.2e9, 3.24e9], {}, ["3.20e9", "3.21e9", "3.22e9", "3.23e9", "3.24e9"]),
    "small": ([0.0, 2e-7], {}, ["0", "5.0e-8", "1.0e-7", "1.5e-7", "2.0e-7"]),
    "percent": ([0.4, 1.0], {"share": True}, ["40 %", "60 %", "80 %", "100 %"]),
    "narrow percent": ([0.99, 0.992], {"share": True}, ["99.00 %", "99.05 %", "99.10 %", "99.15 %", "99.20 %"]),
    "logarithmic": ([0.1, 2.0], {"logarithmic": True}, ["0.1", "0.2", "0.5", "1", "2"]),
}  # fmt: skip


@pytest.mark.parametrize("row", AXES)
def test_labels_tell_ticks_apart(row):
    values, more, expected = AXES[row]
    picture = ET.fromstring(svg(Chart("chart", [Curve("curve", list(enumerate(values)))], **more)))
    found = [label.text for label in texts(picture, "y")]
    assert found == expected
    assert len(texts(picture, "x")) >= 1
    assert all("." not in label.text for label in texts(picture, "x")), "steps are whole"


@pytest.mark.parametrize("step", [1, 7, 990, 1000, 123_456, 10_000_000])
@pytest.mark.parametrize("value", [1.0, 1e-5, 0.123456789, 98765.4321, -4e8])
def test_no_label_is_cut_off(step, value):
    """With the size that letters have on a phone: 19 units, a digit about 11 of them wide."""
    rows = [
        {"step": i * step, "loss": value * (1 + i / 100), "constant": value, "accuracy": 0.99 + i / 1000}
        for i in range(1, 8)
    ]
    for picture in pictures(page(rows, [], {}, "run")):
        for label in texts(picture, "y"):
            assert float(label.attrib["x"]) - 11 * len(label.text) >= 0, label.text
        ends = []
        for label in texts(picture, "x"):
            at, half = float(label.attrib["x"]), 5.5 * len(label.text)
            ends += [at - half, at + half]
        assert ends == sorted(ends), "labels do not overlap"
        assert ends[0] >= 0
        assert ends[-1] <= 640


def test_accuracies_are_in_percent_everywhere_or_nowhere(log):
    for step in range(1, 6):
        log.write(step, {"accuracy": step / 8, "test/accuracy": step / 9, "top accuracy": 20.0 * step - 19.5})
    text = report(log)
    first, second = pictures(text)
    assert all(label.text.endswith(" %") for label in texts(first, "y"))
    assert not any("%" in label.text for label in texts(second, "y"))
    assert "<td>top accuracy</td><td>0.5</td><td>80.5</td>" in text


def test_repeated_starts_are_marked_once(log):
    fill(log, range(1, 6))
    for _ in range(3):
        log.resume(0)
    fill(log, range(1, 401))
    for step in (300, 300, 301, 302, 303, 304, 305, 390):
        log.resume(step)
    fill(log, range(391, 401))
    text = report(log)
    (picture,) = pictures(text)
    marks = [e for e in picture.iter() if e.get("class") == "mark"]
    assert [mark[0].text for mark in marks] == [
        "started again, 3 times",
        "resumed after step 300, 2 times; resumed after step 301; resumed after step 302; resumed after step 303; "
        "and 2 more",
        "resumed after step 390",
    ]
    assert "<td>0</td><td>resume, 3 times</td>" in text
    assert text.count("<td>300</td>") == 1


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
