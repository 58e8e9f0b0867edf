"""What happens inside a recurrent network while it reads a text."""

from rnnzoo.inspection.one_unit import parse_unit, read_unit
from rnnzoo.inspection.page import save_page
from rnnzoo.inspection.properties import PROPERTIES
from rnnzoo.inspection.reading import inspect
from rnnzoo.inspection.record import Inspection, LayerRecord
from rnnzoo.inspection.sensitivity import sensitivity
from rnnzoo.inspection.units import Unit, activation, find_units

__all__ = [
    "PROPERTIES",
    "Inspection",
    "LayerRecord",
    "Unit",
    "activation",
    "find_units",
    "inspect",
    "parse_unit",
    "read_unit",
    "save_page",
    "sensitivity",
]
