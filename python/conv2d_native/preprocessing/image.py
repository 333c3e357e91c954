"""Image files as arrays, and arrays as image files: the functions of `utils`, where older programs look for them."""

from __future__ import annotations

from ..picture_files import array_to_img, img_to_array, load_img, save_img

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]
