#!/bin/bash
# scikit-learn 1.9.1, numpy 2.4.6: PCA() of float32 rows whose mean is large beside their spread.
#
# Good guess: the mean is taken away first, as documented, so that it does not matter; float32 costs digits, not more.
# Seen, 50 features of standard deviation 1 to 3 about a mean, largest variance (the exact one is 9):
#   mean                           0    100   1000  10000
#   20,000 rows, PCA()           9.1    9.1    85   6308     (the last two vary with the processor)
#   20,000 rows, 'full'          9.1    9.1    9.1    9.1
#   499 rows, PCA()             10.4   10.4   10.4   10.4     (exact: 10.4)
# No warning. From 10 rows a feature on, svd_solver='auto' is 'covariance_eigh' (up to 1,000 features): X^T X in the dtype of X,
# less n mean mean^T, of which nothing is left when the mean is a thousand times the spread. The first component
# is then noise along the mean, and explained_variance_ratio_ says it were most of the data. The same call on fewer rows takes
# another solver and is right, so what was tried on a sample is not what runs. Counts of 12 or 16 bits, temperatures in
# Kelvin and features after a ReLU with a large bias are such data.
#
# Exits 0 when it still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install scikit-learn==1.9.1 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
OPENBLAS_NUM_THREADS=1 "$folder/venv/bin/python" -W error - <<'END_PYTHON'
import numpy as np
from sklearn.decomposition import PCA


def rows(count, mean):
    spread = np.linspace(3, 1, 50)
    return (np.random.default_rng(0).standard_normal((count, 50)) * spread + mean).astype(np.float32)


def exact(x):
    return np.linalg.eigvalsh(np.cov(x.astype(np.float64), rowvar=False))[-1]


for mean in (0, 100, 1000, 10000):
    x, few = rows(20000, mean), rows(499, mean)
    standard, full, small = PCA().fit(x), PCA(svd_solver="full").fit(x), PCA().fit(few)
    found = standard.explained_variance_[0]
    along = abs(standard.components_[0].sum()) / np.sqrt(50)  # cosine with the direction of the mean
    print(f"mean {mean}: {found:.1f} by PCA(), exact {exact(x):.1f}, full {full.explained_variance_[0]:.1f}, "
          f"499 rows {small.explained_variance_[0]:.1f} (exact {exact(few):.1f}); first ratio "
          f"{standard.explained_variance_ratio_[0]:.2f} (full {full.explained_variance_ratio_[0]:.2f}); "
          f"cosine of the first component with the mean {along:.2f}")
    assert abs(full.explained_variance_[0] / exact(x) - 1) < 0.01
    assert abs(small.explained_variance_[0] / exact(few) - 1) < 0.01
    assert abs(PCA().fit(x.astype(np.float64)).explained_variance_[0] / exact(x) - 1) < 1e-6
    assert found > 5 * exact(x) if mean >= 1000 else abs(found / exact(x) - 1) < 0.01
END_PYTHON
echo "as recorded"
