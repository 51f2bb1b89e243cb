#!/bin/bash
# scikit-learn 1.9.1, LogisticRegression (lbfgs): for float32 features a small tol is neither reached nor missed with a warning. For
# the same numbers as float64 the same settings warn.
#
# Good guess: no ConvergenceWarning and n_iter_ below max_iter mean that the gradient is below tol.
# Seen, 1797 digits of 8 x 8 (whole numbers from 0 to 16, the same in both types), tol 1e-8, max_iter 3000, largest gradient at the end:
#   C = 1      float64   3000 iterations, ConvergenceWarning    1e-6
#              float32   some 1000 iterations, no warning       2e-5    two thousand times tol
#   C = 1000   float64   3000 iterations, ConvergenceWarning    4e-8
#              float32   some 250 iterations, no warning        1e-6    loss 7 % above the minimum
# tol 1e-12 ends at the same iteration. lbfgs also stops, as a success, where the loss no longer falls, and a loss in float32 soon
# stands still. So linear probes of float32 features, from other seeds or another
# library, are compared at different distances from their minimum. Cast features to float64, or compute the gradient yourself.
#
# Exits 0 when scikit-learn still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$folder/venv/bin/python" - <<'END_PYTHON'
import warnings

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

features, labels = load_digits(return_X_y=True)
n = len(labels)


def fit(dtype, inverse_penalty, solver="lbfgs", tol=1e-8):
    """Iterations, whether it warned, largest gradient and loss, both in float64 and per sample."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegression(C=inverse_penalty, tol=tol, max_iter=3000, solver=solver).fit(features.astype(dtype), labels)
    weights = model.coef_.astype(np.float64)
    scores = features @ weights.T + model.intercept_
    excess = softmax(scores, axis=1)
    excess[range(n), labels] -= 1
    slope = excess.T @ features / n + weights / (inverse_penalty * n)
    loss = (logsumexp(scores, axis=1) - scores[range(n), labels]).mean() + (weights**2).sum() / (2 * inverse_penalty * n)
    warned = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return int(model.n_iter_[0]), warned, max(np.abs(slope).max(), np.abs(excess.mean(axis=0)).max()), loss


assert np.array_equal(features, features.astype(np.float32))
for inverse_penalty in (1.0, 1000.0):
    *_, least = fit(np.float64, inverse_penalty, "newton-cholesky", 1e-10)
    for dtype in (np.float64, np.float32):
        iterations, warned, gradient, loss = fit(dtype, inverse_penalty)
        print(f"C = {inverse_penalty:5.0f}, {dtype.__name__}: {iterations} iterations, warned {warned}, gradient {gradient:.1e}, loss {100 * (loss / least - 1):.4f} % above")
        if dtype is np.float64:
            assert warned and iterations == 3000
        else:
            assert not warned and iterations < 2500 and gradient > 30e-8
            assert iterations == fit(dtype, inverse_penalty, tol=1e-12)[0]
print("as recorded")
END_PYTHON
