# Every command line of docs/, and of the heads of configs/ and jobs/, runs.
mine='[!R]*:*' least=35
. "$HISS_ROOT/tests/docs/run"
