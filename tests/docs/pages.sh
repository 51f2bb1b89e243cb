# Every command line of docs/ but for bench.md, and of the heads of configs/ and jobs/, runs.
mine='!(README.md|docs/bench.md):*' least=25
. "$HISS_ROOT/tests/docs/run"
