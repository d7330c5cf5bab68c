"""The image that the user gives. The public name of ``lookhere.images.image``."""

from .images.image import Image, ImageSource

__all__ = ["Image", "ImageSource"]
