#!/bin/bash
# Extra-P 4.2.5: the time of a strong scaling study, exactly 100 / p without noise, is given a model that is negative at a
# measured point, and a constant is given an adjusted R^2 of 1.
#
# Good guess: 100 / p, five equal repeats at seven points, is found exactly, or refused; and R^2 says whether a model fits.
# Seen:
#   100/p         85.52 - 25.75 * p^(1/3), adjusted R^2 -0.19: at p = 64, which was measured as 1.56, it says -17.5
#   100/p + p/2   the constant 37.4 with adjusted R^2 1.00, though its residual sum of squares is 5600
#   p * (100/p)   rank-seconds, the same data times p: the constant 100
#   p * (100/p + p/2)   rank-seconds: 100 + 0.5 * p^2, exact
# The space of models has no negative exponents. --scaling strong does not help: for text input it warns and goes on.
# What works: model rank-seconds (time times ranks) and divide by p afterwards.
#
# Exits 0 when Extra-P still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install extrap==4.2.5 numpy==1.26.4 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }

# model EXPRESSION-OF-p [OPTION...]: what Extra-P makes of it, without repeats that differ.
model() {
    local expression=$1
    shift
    "$folder/venv/bin/python" - "$expression" >"$folder/input.txt" <<'END_PYTHON'
import sys

ranks = [1, 2, 4, 8, 16, 32, 64]
print("PARAMETER p\nPOINTS", *(f"({p})" for p in ranks))
print("REGION step\nMETRIC time")
for p in ranks:
    print("DATA", *[repr(float(eval(sys.argv[1])))] * 5)
END_PYTHON
    echo "$expression $*"
    "$folder/venv/bin/extrap" --text "$@" --disable-progress "$folder/input.txt" 2>&1 | grep -E 'Model:|RSS:|Adjusted|not supported' | sed 's/^.*UserWarning: //'
}

{
    model '100/p'
    model '100/p' --scaling strong
    model '100/p + p/2'
    model 'p * (100/p)'
    model 'p * (100/p + p/2)'
} | tee "$folder/seen"

"$folder/venv/bin/python" - "$folder/seen" <<'END_PYTHON'
import re
import sys

text = open(sys.argv[1]).read()
models = re.findall(r"Model: (.*)", text)
fits = [float(x) for x in re.findall(r"Adjusted R\^2: (.*)", text)]
at = [eval(m.replace("^", "**"), {"p": 64}) for m in models]
assert len(models) == 5 and "not supported by the text reader" in text
assert at[0] < -10 and at[1] == at[0] and fits[0] < 0, models
assert "p" not in models[2] and fits[2] == 1, models
assert abs(at[3] - 100) < 1e-6 and abs(at[4] - 100 - 0.5 * 64 * 64) < 1e-6, models
print("as recorded")
END_PYTHON
