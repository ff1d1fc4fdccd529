"""All jitted programs of the project, in one place."""

from . import models, split, tables

_ALL = *tables.PROGRAMS, *split.PROGRAMS, *models.PROGRAMS
PROGRAMS = {program.name: program for program in _ALL}
