"""Folders of models, as other programs read and write them: a table taken out, and put back.

`export_model` serves any model; `StaticModel` makes vectors of sentences from codes.
"""

from jaxcompress.models.export import ExportedModel, export_model
from jaxcompress.models.static import StaticModel
from jaxcompress.models.static_folder import Settings, read_static

__all__ = ["ExportedModel", "Settings", "StaticModel", "export_model", "read_static"]
