# Every command line of docs/bench.md runs.
mine='docs/bench.md:*' least=6
. "$HISS_ROOT/tests/docs/run"
