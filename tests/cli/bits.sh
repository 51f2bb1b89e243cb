# The promise of hiss in short; make check-bits is the long form.
. "$HISS_ROOT/tests/cli/common"
"$HISS_ROOT/tools/check_bits" --short
