# Every command line of README.md runs.
mine='README.md:*' least=25
. "$HISS_ROOT/tests/docs/run"
