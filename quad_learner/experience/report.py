"""The report of a run: one HTML file with its figures, its curves and its gait, self-contained.

It is made from summary.json, metrics.csv, gait.gif and footfalls.png alone, so that it can be made
anew at any time, also of a run that was interrupted before its summary was written.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from quad_learner.experience.curves import Curve, draw
from quad_learner.experience.durable import write_atomically
from quad_learner.experience.metrics_table import Row, read_rows
from quad_learner.experience.run_directory import RunDirectory, RunDirectoryError

DEFAULT_WALK_SPEED = 0.4
"""Line drawn where a run has no summary yet [m/s]."""
UNKNOWN = '—'

_TILES = (
    ('mean_speed_last_3_episodes', 'speed, last 3 episodes', '{:.2f} m/s'),
    ('time_to_walk_s', 'robot time to walking', '{:.0f} s'),
    ('falls', 'falls', '{:d}'),
    ('human_resets', 'times a person helped', '{:d}'),
    ('robot_time_s', 'robot time', '{:.0f} s'),
    ('wall_time_s', 'wall time', '{:.0f} s'),
)
"""Key of the summary, words, form: the figures that one looks for first."""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light; font: 15px/1.5 system-ui, sans-serif; color: #1c2430; }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.25rem 4rem; background: #f6f7f9; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .8rem; }
.sub { color: #667080; margin: .2rem 0 1.4rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: .8rem; }
.tile, figure, table { background: #fff; border: 1px solid #e2e5ea; border-radius: 10px; }
.tile { padding: .8rem 1rem; } .tile b { display: block; font-size: 1.5rem; font-weight: 600; }
.tile span, figcaption { color: #667080; font-size: .86rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: .8rem; }
figure { margin: 0; padding: .9rem 1rem; } figure img { width: 100%; display: block; }
figure h3 { margin: 0 0 .3rem; font-size: 1rem; }
.gait { display: grid; grid-template-columns: 2fr 3fr; gap: .8rem; align-items: start; }
table { border-collapse: collapse; overflow: hidden; width: 100%; }
td { padding: .35rem 1rem; border-top: 1px solid #eef0f3; vertical-align: top; }
tr:first-child td { border-top: 0; } td:first-child { color: #667080; width: 18rem; }
td + td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="sub">$subtitle</p>
<section class="tiles">$tiles</section>
$gait
<h2>Curves</h2>
<section class="curves">$curves</section>
<h2>All figures</h2>
<table>$figures</table>
<h2>Versions</h2>
<table>$versions</table>
</body>
</html>
""")


@dataclass(frozen=True)
class Pictures:
    """What there is to be seen of a gait; None where it has not been made."""

    gait: bytes | None
    """moving picture (GIF)"""
    footfalls: bytes | None
    """chart (PNG)"""


def write_report(run: RunDirectory) -> Path:
    """Writes report.html of a run, anew if it is there, and returns its path.

    Args:
        run: must have a metrics.csv with at least one episode.

    Raises:
        RunDirectoryError: there is no episode to report on, or its files are not readable.
        OSError: the report cannot be written.
    """
    rows = _rows(run)
    summary = _summary(run)
    pictures = Pictures(_content(run.gait), _content(run.footfalls))
    write_atomically(run.report, page(run.path.name, rows, summary, pictures))
    return run.report


def page(name: str, rows: Sequence[Row], summary: Mapping[str, Any], pictures: Pictures) -> str:
    """Returns the report as HTML.

    Args:
        name: of the run.
        rows: its episodes, at least one.
        summary: its figures; empty while there are none.
        pictures: of the gait.
    """
    figures = {key: value for key, value in summary.items() if key != 'versions'}
    curves = draw(rows, summary.get('walk_speed_m_s', DEFAULT_WALK_SPEED))
    return _PAGE.substitute(
        title=escape(f'{summary.get("robot", "A robot")} learns to walk'),
        subtitle=escape(f'run {name}, seed {summary.get("seed", UNKNOWN)}, {len(rows)} episodes'),
        tiles=''.join(_tile(summary, *tile) for tile in _TILES),
        gait=_gait_section(pictures),
        curves=''.join(_figure(curve) for curve in curves),
        figures=_table(figures or {'summary': 'not written: the run did not reach its end'}),
        versions=_table(summary.get('versions', {})),
    )


def _rows(run: RunDirectory) -> Sequence[Row]:
    metrics = run.require_metrics()
    try:
        rows = read_rows(metrics)
    except ValueError as error:
        raise RunDirectoryError(str(error)) from error
    if not rows:
        raise RunDirectoryError(
            f'{metrics} holds no episode yet; let the run go on for one episode at least'
        )
    return rows


def _summary(run: RunDirectory) -> Mapping[str, Any]:
    if not run.summary.exists():
        return {}
    try:
        summary = json.loads(run.summary.read_text())
    except ValueError as error:
        raise RunDirectoryError(
            f'{run.summary} is not JSON ({error}); remove it to report from the metrics alone'
        ) from error
    if not isinstance(summary, dict):
        raise RunDirectoryError(
            f'{run.summary} holds no figures by name; remove it to report from the metrics alone'
        )
    return summary


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _tile(summary: Mapping[str, Any], key: str, words: str, form: str) -> str:
    value = summary.get(key)
    text = UNKNOWN if value is None else form.format(value)
    return f'<div class="tile"><b>{escape(text)}</b><span>{escape(words)}</span></div>'


def _gait_section(pictures: Pictures) -> str:
    shown = (
        ('the robot walking', 'image/gif', pictures.gait),
        ('each foot on the ground', 'image/png', pictures.footfalls),
    )
    figures = ''.join(
        f'<figure><img alt="{words}" src="{_embedded(kind, content)}">'
        f'<figcaption>{words}</figcaption></figure>'
        for words, kind, content in shown
        if content is not None
    )
    return f'<h2>The learned gait</h2><section class="gait">{figures}</section>' if figures else ''


def _figure(curve: Curve) -> str:
    return (
        f'<figure><h3>{escape(curve.title)}</h3>'
        f'<img alt="{escape(curve.title)}" src="{_embedded("image/png", curve.png)}">'
        f'<figcaption>{escape(curve.caption)}</figcaption></figure>'
    )


def _embedded(kind: str, content: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'


def _table(entries: Mapping[str, Any]) -> str:
    return ''.join(
        f'<tr><td>{escape(str(key))}</td><td>{escape(_shown(value))}</td></tr>'
        for key, value in entries.items()
    )


def _shown(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return f'{value:.4g}' if isinstance(value, float) and abs(value) < 1 else str(value)
