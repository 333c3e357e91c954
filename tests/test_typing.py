"""Programs in the words of docs/models.md pass a strict type checker: what the package exports, and where."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("mypy")

PROGRAM = """
import numpy as np

import conv2d_native as keras
from conv2d_native import Input, Model, Sequential, applications, layers, load_model, models, ops, utils
from conv2d_native.applications.resnet50 import preprocess_input
from conv2d_native.config import floatx
from conv2d_native.dtype_policies import DTypePolicy
from conv2d_native.layers import Conv2D, Dense, Flatten, InputLayer, MaxPooling2D, add
from conv2d_native.layers import Input as Beginning
from conv2d_native.mixed_precision import set_global_policy
from conv2d_native.preprocessing.image import load_img
from conv2d_native.utils import img_to_array, to_categorical

x = np.zeros((2, 8, 8, 3), np.float32)
y: np.ndarray = keras.conv2d(x, np.zeros((3, 3, 3, 4)), strides=1, padding="same", activation="relu")
model = Sequential([Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)), MaxPooling2D(2), Flatten(), Dense(2)])
model.summary()
image = Input((8, 8, 3))
other = Model(image, layers.ReLU()(image * 2.0))
weights: list[np.ndarray] = other.get_weights()
labels: np.ndarray = keras.utils.to_categorical([1, 2])
scaled = applications.preprocess(preprocess_input(x), "tf")
with keras.exact():
    scores = other.predict(scaled, batch_size=2)
report = keras.check_model("model.keras")
policy: DTypePolicy = keras.config.dtype_policy()
words: str = floatx() + policy.name
print(add, Beginning, InputLayer, set_global_policy, keras.mixed_precision, keras.dtype_policies)
print(report.ok, keras.explain(other), load_model, models, ops, load_img, img_to_array, to_categorical, labels, utils)
"""
MISTAKES = """
import conv2d_native as cn
cn.conv2d(1, 2, stride=3)
cn.layers.Conv2D(2)
cn.utils.to_category([1])
from conv2d_native.utils import load_image
"""


@pytest.mark.timeout(900)
def test_a_user_s_program_passes_and_its_mistakes_are_found(tmp_path):
    files = {tmp_path / "program.py": PROGRAM, tmp_path / "mistakes.py": MISTAKES}
    for path, text in files.items():
        path.write_text(text)
    words = ["--strict", "--cache-dir", str(tmp_path / "cache"), "--config-file", "", *map(str, files)]
    ran = subprocess.run([sys.executable, "-m", "mypy", *words], capture_output=True, text=True)
    assert ran.stderr == "" and ran.returncode == 1
    assert re.findall(r"(\w+)\.py:\d+: error:", ran.stdout) == ["mistakes"] * 4, ran.stdout
