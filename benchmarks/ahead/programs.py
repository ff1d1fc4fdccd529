"""All jitted programs of the project, in one place."""

from . import models, tables

PROGRAMS = {program.name: program for program in [*tables.PROGRAMS, *models.PROGRAMS]}
