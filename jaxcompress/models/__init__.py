"""Folders of models, as other programs read and write them: a table taken out, and put back."""

from jaxcompress.models.export import ExportedModel, export_model

__all__ = ["ExportedModel", "export_model"]
