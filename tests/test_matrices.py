"""Matrices of each image among the operations: diagonals, inverses, solutions; on arrays and in models and files."""

from __future__ import annotations

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import ops
from written import bytes_of

RNG = np.random.default_rng(7)
X = RNG.standard_normal((3, 4, 4, 2)).astype(np.float32)
MATRICES = np.float32(X[..., 0] + 5 * np.eye(4))
SYMMETRIC = MATRICES @ MATRICES.swapaxes(1, 2)


CASES = {
    "diagonal": (ops.diagonal, {"axis1": 1, "axis2": 2}, X, np.einsum("niic->nci", X)),
    "another": (ops.diagonal, {"offset": -2, "axis1": 3, "axis2": 2}, X, np.zeros((3, 4, 0))),
    "above": (ops.diagonal, {"offset": 1, "axis1": 1, "axis2": 2}, X, X.diagonal(1, 1, 2)),
    "trace": (ops.trace, {"axis1": 1, "axis2": -2}, X, np.einsum("niic->nc", X)),
    "trace below": (ops.trace, {"offset": -1, "axis1": 1, "axis2": 2}, X, X[:, [1, 2, 3], [0, 1, 2]].sum(1)),
    "determinant": (ops.det, {}, MATRICES, [np.linalg.det(m.astype(np.float64)) for m in MATRICES]),
    "inverse": (ops.inv, {}, MATRICES, [np.linalg.inv(m.astype(np.float64)) for m in MATRICES]),
    "conjugate": (ops.conjugate, {}, X, X),
    "real part": (ops.real, {}, X, X),
}


@pytest.mark.parametrize("name", CASES)
def test_operations(name):
    function, words, x, expected = CASES[name]
    expected = np.asarray(expected)
    np.testing.assert_allclose(function(x, **words), expected, rtol=1e-4, atol=1e-6)
    source = cn.Input(x.shape[1:])
    if expected.size == 0:
        with pytest.raises(ValueError, match="output size would be zero"):
            function(source, **words)
        return
    made = function(source, **words)
    model = cn.Model(source, made)
    assert made.shape == (None, *expected.shape[1:])
    for each in (model, cn.load_model(bytes_of(model.save))):
        np.testing.assert_allclose(each(x), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("upper", [False, True])
def test_a_triangular_factor(upper):
    source = cn.Input((4, 4))
    model = cn.load_model(bytes_of(cn.Model(source, ops.cholesky(source, upper=upper)).save))
    for made in (model(SYMMETRIC), ops.cholesky(SYMMETRIC, upper)):
        product = made.swapaxes(1, 2) @ made if upper else made @ made.swapaxes(1, 2)
        np.testing.assert_allclose(product, SYMMETRIC, rtol=1e-4, atol=1e-4)
        assert not (np.tril(made, -1) if upper else np.triu(made, 1)).any()


@pytest.mark.parametrize("columns", [(), (2,)])
def test_linear_equations(columns):
    b = RNG.standard_normal((3, 4, *columns)).astype(np.float32)
    sources = [cn.Input((4, 4)), cn.Input((4, *columns))]
    model = cn.load_model(bytes_of(cn.Model(sources, ops.solve(*sources)).save))
    for made in (model([MATRICES, b]), ops.solve(MATRICES, b)):
        got = np.einsum("nij,nj...->ni...", MATRICES, made)
        np.testing.assert_allclose(got, b, rtol=1e-4, atol=1e-4)


def test_what_they_do_not_take():
    source = cn.Input((4, 3))
    for function in (ops.inv, ops.det, ops.cholesky):
        with pytest.raises(
            ValueError, match=r"`x` must hold a square matrix .* shape \(1, 4, 3\)|square matrix"
        ):
            function(source)
    with pytest.raises(ValueError, match="`axis2` must be another axis than axis1"):
        ops.trace(source, axis1=1, axis2=-2)
    with pytest.raises(ValueError, match="`b` must hold vectors or matrices"):
        ops.solve(cn.Input((4, 4)), cn.Input((4, 4, 4)))
    model = cn.Model(square := cn.Input((2, 2)), ops.inv(square))
    with pytest.raises(ValueError, match=r"[Ss]ingular"):
        model(np.zeros((1, 2, 2)))
