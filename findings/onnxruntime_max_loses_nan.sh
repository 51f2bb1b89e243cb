#!/bin/bash
# onnxruntime 1.32.0, CPU, and the reference evaluator of onnx 1.23.2: a NaN in a map of float32 comes out of a pooling or not,
# by its place in the window.
#
# Good guess: an exported network that computes NaN for an input returns NaN, as it does in the framework and in NumPy; looking at the
# output is enough, and the two agree.
# Seen, a map of 2 x 40 zeros with one NaN at each of its 80 places in turn; NaN comes out for
#                              onnxruntime                           reference evaluator
#   MaxPool 2 x 2, stride 2    20 places: the last of each window    20 others: the first
#   GlobalMaxPool              the last place of the map             80
#   ReduceMax over a row       the first place of each row           80
#   AveragePool 2 x 2          80                                    none: the mean of the other three
#   Relu                       80                                    80
# A map of NaN alone stays NaN in onnxruntime. So one bad pixel or one overflow disappears at a pooling for three places of four,
# and what comes out is a plausible number. Look for NaN in the inputs, and in maps before a pooling, not in the outputs.
#
# Exits 0 when the two still behave so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
"$folder/venv/bin/python" - <<'END_PYTHON'
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

warnings.simplefilter("ignore")
SHAPE = (1, 1, 2, 40)


def build(operator, inputs=(), **attributes):
    node = helper.make_node(operator, ["x", *(name for name, _ in inputs)], ["y"], **attributes)
    constants = [helper.make_tensor(name, TensorProto.INT64, [len(values)], values) for name, values in inputs]
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)], [onnx.ValueInfoProto(name="y")], constants
    )
    model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    evaluator = ReferenceEvaluator(model)
    return lambda x: session.run(None, {"x": x})[0], lambda x: evaluator.run(None, {"x": x})[0]


def places(run):
    """Where a NaN goes in and a NaN comes out, as 2 x 40 flags."""
    out = np.zeros(SHAPE[2:], bool)
    for at in np.ndindex(out.shape):
        x = np.zeros(SHAPE, np.float32)
        x[0, 0][at] = np.nan
        out[at] = np.isnan(run(x)).any()
    return out


def only(*selected):
    flags = np.zeros(SHAPE[2:], bool)
    for rows, columns in selected:
        flags[rows, columns] = True
    return flags


everywhere = only((slice(None), slice(None)))
first_of_window, last_of_window = only((0, slice(0, None, 2))), only((1, slice(1, None, 2)))
halves = dict(kernel_shape=[2, 2], strides=[2, 2])
expected = {  # of the runtime, of the reference
    "MaxPool": (build("MaxPool", **halves), last_of_window, first_of_window),
    "GlobalMaxPool": (build("GlobalMaxPool"), only((1, 39)), everywhere),
    "ReduceMax": (build("ReduceMax", [("axes", [3])], keepdims=0), only((slice(None), 0)), everywhere),
    "AveragePool": (build("AveragePool", **halves), everywhere, only()),
    "Relu": (build("Relu"), everywhere, everywhere),
}
for operator, ((runtime, reference), seen_runtime, seen_reference) in expected.items():
    found, by_reference = places(runtime), places(reference)
    print(f"{operator:14} NaN comes out for {found.sum():2} of 80 places; in the reference for {by_reference.sum():2}")
    assert np.array_equal(found, seen_runtime) and np.array_equal(by_reference, seen_reference)
    assert np.isnan(runtime(np.full(SHAPE, np.nan, np.float32))).all()
print("as recorded")
END_PYTHON
