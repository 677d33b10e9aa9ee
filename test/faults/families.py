"""All families of faults: importing this enters each row that is played."""

from __future__ import annotations

from faults import body, commands, drivers, nodes, sensors, timing

FAMILIES = (sensors, timing, drivers, commands, body, nodes)
