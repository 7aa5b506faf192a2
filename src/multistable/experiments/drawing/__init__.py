"""Figures as values, and what a template needs to set them: places along axes, and paths that fit any width."""

from multistable.experiments.drawing.axis import Axis, Tick
from multistable.experiments.drawing.figure import Curve, Panel, Plot, Row, Rows, Whose
from multistable.experiments.drawing.path import band_path, line_path

__all__ = ["Axis", "Curve", "Panel", "Plot", "Row", "Rows", "Tick", "Whose", "band_path", "line_path"]
