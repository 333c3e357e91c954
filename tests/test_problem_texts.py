"""Problems and activations as text: what is printed is read again as the same, and nothing else is read."""

import pytest

from conv2d_native import _core

PLAIN = "n1h9w9c8_k3x3s1d1p1_oc8g1"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "n0h9w8c6_k3x2s2x1d1x2p0.1.2.3_oc4g2_relu6",
        PLAIN + "_relu(0.123456791,inf,0)",
        PLAIN + "_relu(1.00000001e-30,16777217,-inf)",
        PLAIN + "_elu(nan,inf,0)",
    ],
)
def test_a_printed_problem_is_read_again(text):
    problem = _core.ConvProblem.parse(text)
    assert str(_core.ConvProblem.parse(str(problem))) == str(problem)
    assert "nan" in text or _core.ConvProblem.parse(str(problem)) == problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n 1h9w9c8_k3x3s1d1p1_oc8g1",
        "n+1h9w9c8_k3x3s1d1p1_oc8g1",
        "n1h9w9c8_k3xs1d1p1_oc8g1",
        "n99999999999999999999h9w9c8_k3x3s1d1p1_oc8g1",
        PLAIN + "x",
        PLAIN + "_",
        PLAIN + "_relu(0,6,0",
        PLAIN + "_relu(0,6,0)x",
        PLAIN + "_relu(0,6)",
        PLAIN + "_relu(,6,0)",
        PLAIN + "_relu(0 ,6,0)",
        PLAIN + "_rolu",
    ],
)
def test_another_text_is_refused(text):
    with pytest.raises(ValueError):
        _core.ConvProblem.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "n1h90w90c64_k1x1s3d1p0_oc1g1",
        "n1h57w57c512_k1x1s4d1p0_oc1g1",
        "n1h64w64c64_k1x1s8d1p0_oc4g1",
        "n1h64w64c64_k1x1s8d1p0_oc64g64",
    ],
)
def test_pixels_that_strides_leave_out_do_not_make_the_plain_loops_cheap(text):
    chosen = [row["name"] for row in _core.explain(_core.ConvProblem.parse(text)) if row["chosen"]]
    assert chosen != ["reference"]
