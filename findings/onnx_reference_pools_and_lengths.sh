#!/bin/bash
# onnx 1.23.2, ReferenceEvaluator ("a pure Python implementation of all ONNX operators"): AveragePool with ceil_mode looks at
# other windows than the standard's, and the recurrent operators leave out sequence_lens, clip and input_forget.
#
# Good guess: what differs from the reference evaluator is a fault of the runtime under test; the reference refuses what
# it cannot do.
# Seen:
#   AveragePool 7 x 7, kernel 3, stride 3, ceil_mode 1, no pads    means over rows (and columns) 0-1, 2-4, 5: 6 is in
#                                                                   no window. The standard's: 0-2, 3-5, 6
#   the same with MaxPool                                           0-2, 3-5, 6
#   LSTM, GRU with sequence_lens [3, 5]                              the first sequence runs to 5, without a word
#   LSTM with clip 1 or input_forget 1                               as without
# onnxruntime 1.32.0 does all of these as the standard says. Compare an exporter with a runtime, or with the framework.
#
# Exits 0 when the two still behave so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
"$folder/venv/bin/python" - <<'END_PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator


def run(operator, inputs, outputs=1, **attributes):
    """Outputs of the reference evaluator and of onnxruntime."""
    node = helper.make_node(operator, ["" if v is None else k for k, v in inputs.items()], [f"y{i}" for i in range(outputs)], **attributes)
    feed = {k: v for k, v in inputs.items() if v is not None}
    described = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in feed.items()]
    graph = helper.make_graph([node], "g", described, [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(model))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(model).run(None, feed), session.run(None, feed)


def close(a, b):
    return np.allclose(a, b, atol=1e-5)


def means(*windows):
    """Mean of the picture over each pair of windows (first, last)."""
    cut = [slice(first, last + 1) for first, last in windows]
    return np.array([[picture[0, 0, i, j].mean() for j in cut] for i in cut])


picture = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7) ** 2
pool = dict(kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1)
(reference,), (runtime,) = run("AveragePool", {"x": picture}, **pool)
print("AveragePool, reference: ", *reference.ravel().round(1))
print("AveragePool, runtime:   ", *runtime.ravel().round(1))
assert close(runtime[0, 0], means((0, 2), (3, 5), (6, 6))) and close(reference[0, 0], means((0, 1), (2, 4), (5, 5)))
(reference,), (runtime,) = run("MaxPool", {"x": picture}, **pool)
assert close(reference, runtime)

random = np.random.default_rng(0)
for operator, gates in (("GRU", 3), ("LSTM", 4)):
    shapes = {"X": (5, 2, 4), "W": (1, gates * 3, 4), "R": (1, gates * 3, 3), "B": (1, gates * 6)}
    cell = {k: random.standard_normal(shape).astype(np.float32) for k, shape in shapes.items()}
    whole, whole_runtime = run(operator, cell, 2, hidden_size=3)
    short, _ = run(operator, cell | {"X": cell["X"][:3]}, 2, hidden_size=3)
    reference, runtime = run(operator, cell | {"lengths": np.array([3, 5], np.int32)}, 2, hidden_size=3)
    assert close(whole[1], whole_runtime[1])
    print(f"{operator}, lengths 3 and 5, last state of the first: reference", *reference[1][0, 0].round(3), " runtime", *runtime[1][0, 0].round(3))
    assert close(reference[1], whole[1]) and close(reference[0], whole[0])
    assert close(runtime[1][0, 0], short[1][0, 0]) and close(runtime[1][0, 1], whole[1][0, 1]) and not runtime[0][3:, 0, 0].any()
    assert not close(short[1][0, 0], whole[1][0, 0])
for option in ({"clip": 1.0}, {"input_forget": 1}):
    reference, runtime = run("LSTM", cell, 2, hidden_size=3, **option)
    print("LSTM,", option, "largest difference from without: reference", np.abs(reference[1] - whole[1]).max(), " runtime", np.abs(runtime[1] - whole[1]).max().round(3))
    assert np.array_equal(reference[1], whole[1]) and not close(runtime[1], whole[1])
print("as recorded")
END_PYTHON
