"""Named convolution problems, shared by tests and benchmarks.

A name is a whole problem: `n1h56w56c64_k3x3s1d1p1_oc64g1_relu`, in full
n{n}h{h}w{w}c{c}_k{kh}x{kw}s{sh}[x{sw}]d{dh}[x{dw}]p{pad}_oc{oc}g{groups}[_{activation}]. The second number of
strides and dilation is written only where it differs; the padding is one number, or top.bottom.left.right
where they differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

import oracle

_PATTERN = re.compile(
    r"n(?P<n>\d+)h(?P<h>\d+)w(?P<w>\d+)c(?P<c>\d+)"
    r"_k(?P<kh>\d+)x(?P<kw>\d+)s(?P<sh>\d+)(?:x(?P<sw>\d+))?d(?P<dh>\d+)(?:x(?P<dw>\d+))?"
    r"p(?P<pad>\d+(?:\.\d+\.\d+\.\d+)?)_oc(?P<oc>\d+)g(?P<groups>\d+)(?:_(?P<activation>[a-z0-9_]+))?"
)


@dataclass(frozen=True)
class ConvProblem:
    """One convolution. Input (n, h, w, c), kernel (kh, kw, c / groups, oc), explicit padding per side."""

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    sh: int
    sw: int
    dh: int
    dw: int
    padding: tuple[tuple[int, int], tuple[int, int]]
    oc: int
    groups: int
    activation: str | None = None

    @classmethod
    def parse(cls, text: str) -> ConvProblem:
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"not a convolution problem: {text!r}")
        field = match.groupdict()
        number = {k: int(field[k]) for k in ("n", "h", "w", "c", "kh", "kw", "sh", "dh", "oc", "groups")}
        sides = [int(p) for p in field["pad"].split(".")] * (4 if "." not in field["pad"] else 1)
        return cls(
            **number,
            sw=int(field["sw"] or field["sh"]),
            dw=int(field["dw"] or field["dh"]),
            padding=((sides[0], sides[1]), (sides[2], sides[3])),
            activation=field["activation"],
        )

    def __str__(self) -> str:
        def two(a: int, b: int) -> str:
            return f"{a}" if a == b else f"{a}x{b}"

        sides = [*self.padding[0], *self.padding[1]]
        pad = str(sides[0]) if len(set(sides)) == 1 else ".".join(map(str, sides))
        tail = f"_{self.activation}" if self.activation else ""
        return (
            f"n{self.n}h{self.h}w{self.w}c{self.c}_k{self.kh}x{self.kw}s{two(self.sh, self.sw)}"
            f"d{two(self.dh, self.dw)}p{pad}_oc{self.oc}g{self.groups}{tail}"
        )

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        (top, bottom), (left, right) = self.padding
        oh = (self.h + top + bottom - (self.kh - 1) * self.dh - 1) // self.sh + 1
        ow = (self.w + left + right - (self.kw - 1) * self.dw - 1) // self.sw + 1
        return self.n, oh, ow, self.oc

    @property
    def products(self) -> int:
        """Terms of one output's sum, padding included."""
        return self.kh * self.kw * self.c // self.groups

    @property
    def flops(self) -> int:
        return 2 * int(np.prod(self.output_shape)) * self.products

    @property
    def arguments(self) -> dict:
        """The keyword arguments of conv2d, the activation left out."""
        return {
            "strides": (self.sh, self.sw),
            "padding": self.padding,
            "dilation_rate": (self.dh, self.dw),
            "groups": self.groups,
        }

    def data(self, kind: str = "gauss", seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, kernel and bias in float32; `kind` is gauss (zero mean), positive or integer (exact sums)."""
        rng = np.random.default_rng(seed)
        draw = {
            "gauss": rng.standard_normal,
            "positive": lambda shape: rng.uniform(0.5, 1.0, shape),
            "integer": lambda shape: rng.integers(-4, 5, shape),
        }[kind]
        x = draw((self.n, self.h, self.w, self.c))
        kernel = draw((self.kh, self.kw, self.c // self.groups, self.oc))
        if kind == "gauss":
            kernel = kernel / self.products**0.5
        return x.astype(np.float32), kernel.astype(np.float32), draw((self.oc,)).astype(np.float32)

    def reference(self, x, kernel, bias) -> tuple[np.ndarray, np.ndarray]:
        """The float64 result and the scale S of its error (see oracle.error_ratio)."""
        y = oracle.conv2d(x, kernel, bias, activation=self.activation, **self.arguments)
        return y, oracle.conv2d_scale(x, kernel, bias, **self.arguments)


def same(n, h, w, c, oc, kh, kw, stride=1, dilation=1, groups=1, activation=None) -> str:
    """The name of a problem with Keras's "same" padding."""
    padding = tuple(
        oracle.axis_padding(size, (k - 1) * dilation + 1, stride, "same")[:2]
        for size, k in ((h, kh), (w, kw))
    )
    strides = (stride, stride, dilation, dilation)
    return str(ConvProblem(n, h, w, c, kh, kw, *strides, padding, oc, groups, activation))


LAYERS = {
    "article 50x64x64x3->2 3x3": "n50h64w64c3_k3x3s1d1p0_oc2g1_relu",
    "cifar conv1 n32": "n32h32w32c3_k3x3s1d1p0_oc32g1_relu",
    "cifar conv2 n32": "n32h15w15c32_k3x3s1d1p0_oc64g1_relu",
    "vgg 224 64->64 3x3": "n1h224w224c64_k3x3s1d1p1_oc64g1_relu",
    "vgg 56 256->256 3x3": "n1h56w56c256_k3x3s1d1p1_oc256g1_relu",
    "resnet stem 7x7 s2": "n1h224w224c3_k7x7s2d1p2.3.2.3_oc64g1_relu",
    "resnet 56 64->64 3x3": "n1h56w56c64_k3x3s1d1p1_oc64g1_relu",
    "resnet 14 256->256 3x3": "n1h14w14c256_k3x3s1d1p1_oc256g1_relu",
    "resnet 7 512->512 3x3": "n1h7w7c512_k3x3s1d1p1_oc512g1_relu",
    "resnet 56 64->256 1x1": "n1h56w56c64_k1x1s1d1p0_oc256g1_relu",
    "resnet 14 1024->256 1x1": "n1h14w14c1024_k1x1s1d1p0_oc256g1_relu",
    "resnet 28 512->1024 1x1 s2": "n1h28w28c512_k1x1s2d1p0_oc1024g1_relu",
    "mobilenet dw 112 64 3x3": "n1h112w112c64_k3x3s1d1p1_oc64g64_relu",
    "mobilenet dw 112 64 3x3 s2": "n1h112w112c64_k3x3s2d1p0.1.0.1_oc64g64_relu",
    "efficientnet dw 14 512 5x5": "n1h14w14c512_k5x5s1d1p2_oc512g512_relu",
    "dilated 28 128 3x3 d2": "n1h28w28c128_k3x3s1d2p2_oc128g1_relu",
    "resnext 14 512 3x3 g32": "n1h14w14c512_k3x3s1d1p1_oc512g32_relu",
    "odd 37x53x17->29 5x3": "n2h37w53c17_k5x3s1d1p2.2.1.1_oc29g1_relu",
}

# Counts on both sides of every vector width (4, 8, 16) and register tile (8, 16, 32 columns).
TAIL_CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70)
_PARTNERS = (70, 1, 33, 2, 17, 64, 5, 16, 3, 31, 8, 65, 4, 48, 9, 32, 7, 63, 12, 15, 49, 23, 47)

ODD = (
    *(same(1, 7, 9, c, oc, 3, 3) for c, oc in zip(TAIL_CHANNELS, _PARTNERS, strict=True)),
    *(same(2, 5, 6, c, oc, 1, 1) for c, oc in zip(TAIL_CHANNELS, reversed(_PARTNERS), strict=True)),
    *(same(1, 8, 7, c, c, 3, 3, groups=c) for c in TAIL_CHANNELS),
    *(same(1, 9, 11, c, c, 5, 5, stride=2, groups=c) for c in TAIL_CHANNELS[::3]),
    *(
        same(1, 6, 5, c, c * m, 3, 3, groups=c, activation="relu")
        for c, m in ((1, 7), (3, 2), (5, 4), (16, 2), (33, 3))
    ),
    *(same(1, 1, width, 6, 10, 1, 3) for width in (1, 2, 3, 13, 14, 15, 27, 28, 29, 43)),
    "n1h7w7c20_k3x3s1d1p1_oc40g1_relu",
    "n3h17w17c13_k3x3s1d1p0_oc21g1",
    "n1h17w17c12_k7x1s1d1p3.3.0.0_oc18g1_relu",
    "n1h17w17c12_k1x7s1d1p0.0.3.3_oc18g1_relu6",
    "n2h12w19c17_k5x3s1d1p2.2.1.1_oc29g1_leaky_relu",
    "n1h13w10c6_k3x5s2x1d1p1.1.2.2_oc11g1_elu",
    "n1h11w14c9_k3x3s1x3d1p0_oc7g1_tanh",
    "n1h15w16c8_k3x3s3d1p0.1.1.1_oc24g1_sigmoid",
    "n1h16w15c5_k5x5s4d1p2_oc33g1_silu",
    "n1h20w21c3_k7x7s2d1p2.3.3.3_oc32g1_relu",
    "n1h23w23c3_k11x11s4d1p0_oc24g1_relu",
    "n1h9w9c4_k1x1s3d1p0_oc6g1",
    "n1h10w9c10_k2x2s1d1p0.1.0.1_oc6g1_gelu",
    "n1h9w10c10_k2x2s2d1p0_oc6g1",
    "n1h8w8c3_k4x4s1d1p1.2.1.2_oc9g1_relu",
    "n1h8w9c7_k6x4s2d1p2.2.1.2_oc5g1",
    "n1h3w2c5_k5x5s1d1p2_oc6g1",
    "n1h2w3c4_k7x7s1d1p3_oc3g1_relu",
    "n1h1w1c70_k3x3s1d1p1_oc70g1",
    "n1h1w1c1_k1x1s1d1p0_oc1g1",
    "n1h12w13c11_k3x3s1d2p2_oc14g1_relu",
    "n1h14w15c6_k3x3s1d3x1p3.3.1.1_oc19g1",
    "n1h9w9c5_k3x3s1d4p4_oc10g5",
    "n1h13w14c16_k3x3s2d2p1.2.1.2_oc16g16",
    "n2h13w14c20_k3x3s1d2p2_oc20g20_relu",
    "n1h12w17c21_k5x3s1d3x4p6.6.4.4_oc42g21_silu",
    "n1h9w3c18_k3x5s1d2x5p2.2.10.10_oc18g18",
    "n1h15w12c33_k3x7s2x1d1x2p1.1.6.6_oc33g33",
    "n1h12w15c19_k9x9s1d1p4_oc19g19_relu",
    "n2h9w17c35_k4x11s1d1p1.2.5.5_oc35g35",
    "n1h13w22c18_k2x8s2d1p0.0.3.3_oc18g18_silu",
    "n1h20w26c33_k5x10s1d2p4.4.9.9_oc33g33",
    "n1h6w4c24_k1x9s1d1p0.0.4.4_oc48g24",
    "n2h10w11c24_k3x3s1d1p1_oc36g2_relu",
    "n1h10w11c21_k3x3s1d1p1_oc14g7",
    "n1h9w8c32_k3x3s2d1p0.1.0.1_oc64g4_hard_silu",
    "n1h7w8c64_k3x3s1d1p1_oc64g16_relu",
    "n1h7w8c12_k1x1s1d1p0_oc18g3",
    "n1h31w43c281_k1x1s1d1p0_oc41g1_relu",  # pixels are asked for ahead: more than a megabyte
    "n1h6w7c8_k3x3s1d2p2_oc12g4",
    "n1h10w10c3_k3x3s1d1p5.0.0.4_oc5g1",
    "n1h5w5c2_k2x2s1d1p3_oc4g1",
    "n1h4w4c512_k3x3s1d1p1_oc10g1",
    "n1h6w30c4_k3x3s1d1p1_oc1g1_relu",
    "n5h12w12c1_k3x3s1d1p1_oc2g1_relu",
    "n7h4w4c18_k3x3s1d1p1_oc16g1_mish",
    "n1h9w11c37_k1x1s1d1p0_oc1g1_relu",
    "n2h7w6c300_k3x3s2d1p0.1.0.1_oc4g1_gelu",
    "n1h8w9c50_k1x3s1d1x2p0.0.2.2_oc3g1",
    "n3h5w5c512_k1x1s1d1p0_oc2g1_sigmoid",
)
