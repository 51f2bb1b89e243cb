#!/bin/bash
# OR-Tools 9.15.6755, SimpleLinearSumAssignment: an array of float costs is cut to whole numbers without a word, and the
# assignment found with these is called OPTIMAL. A single float is refused.
#
# Good guess: costs are documented as int64, so float costs are refused, one by one or as an array.
# Seen:
#   add_arc_with_cost(0, 0, 0.9)              TypeError
#   add_arcs_with_cost(i, j, float array)     accepted; costs below 1 all become 0
#   200 x 200 uniform costs in [0, 1)         status OPTIMAL, optimal_cost() 0, total of the found pairs 100.3; SciPy: 1.617
#   the same times 1000, as floats            OPTIMAL, 0.08 % above the optimum
#   the same times 1000000, rounded by hand   the optimum
# float32 and float64 alike. Who hands over cosines or probabilities gets an arbitrary matching.
#
# Exits 0 when OR-Tools still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install ortools==9.15.6755 scipy==1.17.1 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
"$folder/venv/bin/python" - <<'END_PYTHON'
import numpy as np
from ortools.graph.python import linear_sum_assignment
from scipy.optimize import linear_sum_assignment as scipy_assignment

n = 200
costs = np.random.default_rng(0).random((n, n))
rows, columns = (index.ravel().astype(np.int32) for index in np.indices(costs.shape))
best = costs[scipy_assignment(costs)].sum()


def solve(values):
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    solver.add_arcs_with_cost(rows, columns, values.ravel())
    status = solver.solve()
    assert status == solver.OPTIMAL
    return solver.optimal_cost(), costs[range(n), [solver.right_mate(i) for i in range(n)]].sum()


try:
    linear_sum_assignment.SimpleLinearSumAssignment().add_arc_with_cost(0, 0, 0.9)
    raise SystemExit("a single float is accepted")
except TypeError as refused:
    print("a single float: TypeError")
for dtype in (np.float64, np.float32):
    cost, total = solve(costs.astype(dtype))
    print(f"array of {np.dtype(dtype)}: OPTIMAL, optimal_cost {cost}, total {total:.4f}, best {best:.4f}")
    assert cost == 0 and total > 50 * best
cost, total = solve(costs * 1e3)
print(f"times 1000, floats: optimal_cost {cost}, total {total:.6f}")
assert total > best * 1.0001
cost, total = solve(np.rint(costs * 1e6).astype(np.int64))
print(f"times 1000000, rounded: optimal_cost {cost}, total {total:.6f}")
assert abs(total - best) < 1e-9
print("as recorded")
END_PYTHON
