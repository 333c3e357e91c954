"""Faces in a photograph by MTCNN (Zhang et al., IEEE SPL 2016): three small networks, one after the other.

    python examples/convert_mtcnn.py FOLDER          # once
    python examples/faces.py FOLDER [IMAGE] [-o faces.png]

PNet looks at an image pyramid and proposes boxes, RNet throws most of them away, ONet places boxes and five landmarks.
Boxes are rows [x1, y1, x2, y2, score] in pixels.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import conv2d_native as cn

SMALLEST_FACE, PYRAMID = 20, 0.709
THRESHOLDS = {"pnet": 0.6, "rnet": 0.7, "onet": 0.8}


class FaceDetector:
    """MTCNN out of the folder that convert_mtcnn.py has written."""

    def __init__(self, folder: str | Path) -> None:
        if not (Path(folder) / "pnet.keras").is_file():
            raise FileNotFoundError(
                f"{folder} does not hold the networks: python examples/convert_mtcnn.py {folder}"
            )
        self.pnet, self.rnet, self.onet = (
            cn.load_model(Path(folder) / f"{name}.keras") for name in ("pnet", "rnet", "onet")
        )

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes (n, 5) and landmarks (n, 5, 2): eyes, nose, mouth, for (h, w, 3) up to 255."""
        pixels = (image.astype(np.float32) - 127.5) / 128
        boxes = square(self.propose(pixels))
        offsets, scores = self.rnet(patches(pixels, boxes, 24))
        boxes = select(moved(boxes, offsets, scores), THRESHOLDS["rnet"])
        boxes = square(boxes[keep(boxes, 0.7)])
        offsets, places, scores = self.onet(patches(pixels, boxes, 48))
        sizes = boxes[:, 2:4] - boxes[:, :2] + 1
        landmarks = places.reshape(-1, 2, 5).transpose(0, 2, 1) * sizes[:, None] + boxes[:, None, :2] - 1
        boxes = moved(boxes, offsets, scores)
        sure = boxes[:, 4] > THRESHOLDS["onet"]
        boxes, landmarks = boxes[sure], landmarks[sure]
        best = keep(boxes, 0.7, of_smaller=True)
        return boxes[best], landmarks[best]

    def propose(self, pixels: np.ndarray) -> np.ndarray:
        """Boxes that PNet finds at any scale."""
        found = []
        height, width = pixels.shape[:2]
        scale = 12 / SMALLEST_FACE
        while min(height, width) * scale >= 12:
            small = resized(pixels, int(height * scale), int(width * scale))
            offsets, scores = (y[0] for y in self.pnet(small[np.newaxis]))
            rows, columns = np.nonzero(scores[..., 1] > THRESHOLDS["pnet"])
            corners = np.stack([columns, rows], axis=1) * 2.0
            boxes = np.concatenate([corners, corners + 12, scores[rows, columns, 1:]], axis=1)
            boxes[:, :4] = (boxes[:, :4] + 12 * offsets[rows, columns]) / scale
            found.append(boxes[keep(boxes, 0.5)])
            scale *= PYRAMID
        boxes = np.concatenate(found)
        return boxes[keep(boxes, 0.7)]


def moved(boxes: np.ndarray, offsets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Boxes with corners moved by `offsets` of their sizes, and new scores."""
    sizes = np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, (1, 2))
    return np.concatenate([boxes[:, :4] + offsets * sizes, scores[:, 1:]], axis=1)


def select(boxes: np.ndarray, threshold: float) -> np.ndarray:
    return boxes[boxes[:, 4] > threshold]


def square(boxes: np.ndarray) -> np.ndarray:
    """Boxes widened to squares about their centres."""
    centres, size = (boxes[:, :2] + boxes[:, 2:4]) / 2, (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, initial=0)
    half = size[:, None] / 2
    return np.concatenate([centres - half, centres + half, boxes[:, 4:]], axis=1)


def keep(boxes: np.ndarray, overlap: float, of_smaller: bool = False) -> np.ndarray:
    """Indices of boxes, best first, none of which covers more than `overlap` of a better one."""
    order = np.argsort(-boxes[:, 4])
    x1, y1, x2, y2 = boxes[order, :4].T
    areas = (x2 - x1) * (y2 - y1)
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    whole = np.minimum(areas[:, None], areas) if of_smaller else areas[:, None] + areas - shared
    beaten = np.triu(shared > overlap * whole, k=1)
    return order[~beaten.any(axis=0)]


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image at another size: means of the pixels that a new one covers, by cumulative sums."""
    for axis, size in ((0, height), (1, width)):
        edges = np.linspace(0, pixels.shape[axis], size + 1)
        sums = np.cumsum(pixels, axis=axis, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis=axis)
        low = np.minimum(edges.astype(int), pixels.shape[axis] - 1)
        share = (edges - low).reshape([-1 if i == axis else 1 for i in range(3)])
        at = sums.take(low, axis) + share * (sums.take(low + 1, axis) - sums.take(low, axis))
        pixels = np.diff(at, axis=axis) * size / pixels.shape[axis]
    return pixels.astype(np.float32)


def patches(pixels: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """The pixels under every box at size x size, bilinearly; black beyond the image's border."""
    made = np.zeros((len(boxes), size, size, 3), np.float32)
    height, width = pixels.shape[:2]
    for i, (x1, y1, x2, y2) in enumerate(boxes[:, :4]):
        # Normalized by the image's size and mapped on its last pixels, as tf.image.crop_and_resize has it.
        y = np.linspace(y1 / height, y2 / height, size) * (height - 1)
        x = np.linspace(x1 / width, x2 / width, size) * (width - 1)
        inside = ((y >= 0) & (y <= height - 1))[:, None] & ((x >= 0) & (x <= width - 1))
        y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        top, left = np.minimum(y.astype(int), height - 2), np.minimum(x.astype(int), width - 2)
        dy, dx = (y - top)[:, None, None], (x - left)[:, None]
        upper = pixels[top][:, left] * (1 - dx) + pixels[top][:, left + 1] * dx
        lower = pixels[top + 1][:, left] * (1 - dx) + pixels[top + 1][:, left + 1] * dx
        made[i] = (upper * (1 - dy) + lower * dy) * inside[..., None]
    return made


def draw(image: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray):
    """A picture of the image with boxes and landmarks on it."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    for box, points in zip(boxes, landmarks, strict=True):
        pen.rectangle([float(n) for n in box[:4]], outline=(255, 220, 0), width=3)
        pen.text((float(box[0]), float(box[1]) - 12), f"{box[4]:.3f}", fill=(255, 220, 0))
        for x, y in points:
            pen.ellipse([float(x) - 3, float(y) - 3, float(x) + 3, float(y) + 3], fill=(0, 255, 80))
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="what convert_mtcnn.py has written")
    parser.add_argument("image", nargs="?", help="an image file (default: scikit-image's astronaut)")
    parser.add_argument(
        "-o", "--output", default="faces.png", help="the picture to write (default faces.png)"
    )
    arguments = parser.parse_args()
    detect = FaceDetector(arguments.folder)
    if arguments.image is None:
        from skimage import data

        image = data.astronaut()
    else:
        from PIL import Image

        image = np.asarray(Image.open(arguments.image).convert("RGB"))
    detect(image)
    start = time.perf_counter()
    boxes, landmarks = detect(image)
    print(f"{len(boxes)} faces in {(time.perf_counter() - start) * 1e3:.0f} ms")
    for box in boxes:
        print("  box {:.0f} {:.0f} {:.0f} {:.0f}, score {:.4f}".format(*box))
    draw(image, boxes, landmarks).save(arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    try:
        main()
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f"{Path(__file__).name}: {error}") from None
