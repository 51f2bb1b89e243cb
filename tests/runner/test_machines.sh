#!/bin/bash
# The test of tools/check_machines: each machine is what its name says, and one that fails makes the whole fail.
set -eu
export BUILD=$WORK/build
mkdir -p "$BUILD"
: >"$BUILD/hiss"

fail() {
    echo "$*" >&2
    cat "$WORK/output" >&2
    exit 1
}
# machine NAME TEST: the commands of TEST succeed there (or it is skipped, with a reason).
machine() {
    "$HISS_ROOT/tools/check_machines" --run "$2" "$1" >"$WORK/output" 2>&1 || fail "$1 is not: $2"
    grep -qE "^(ok    $1|skip  $1 \(.+\)$)" "$WORK/output" || fail "$1 says nothing"
}
export OPENBLAS_CORETYPE=Other HOME=/nowhere TMPDIR=/tmp
machine as-built '[ "$OPENBLAS_CORETYPE" = Other ] && [ -n "$HISS" ] && [ "$PWD" = "$WORK" ]'
machine any-core '[ -z "${OPENBLAS_CORETYPE+set}" ]'
for core in Haswell Zen SkylakeX; do machine $core '[ "$OPENBLAS_CORETYPE" = '$core' ]'; done
machine small-pages 'grep -q "^THP_enabled:.*0" /proc/self/status || ! grep -q THP_enabled /proc/self/status'
machine no-sys '[ -z "$(ls /sys)" ]'
machine one-core '[ "$(env -u OMP_NUM_THREADS nproc)" = 1 ]'
machine locale '[ "$(printf %.1f 1,5)" = 1,5 ]'
machine bare-user '[ "$(umask)" = 0077 ] && ! env | grep -qE "^(HOME|USER)=" && [ ! -e "$TMPDIR" ]'
machine long-tmp '[ ${#TMPDIR} -gt 108 ] && [ -d "$TMPDIR" ]'
machine read-only '! touch "$HISS_ROOT/Makefile" 2>/dev/null && : >"$WORK/file"'

status=0
"$HISS_ROOT/tools/check_machines" --run 'case $PWD in *bare*) echo the reason; exit 3 ;; esac' as-built bare-user locale \
    >"$WORK/output" 2>&1 || status=$?
[ $status -eq 1 ] || fail "exit $status where one machine fails"
grep -q '^ok    as-built' "$WORK/output" && grep -q '^FAIL  bare-user (exit 3' "$WORK/output" &&
    grep -q '      | the reason' "$WORK/output" || fail 'the failure is not told'
status=0
"$HISS_ROOT/tools/check_machines" --run true no-such-machine >"$WORK/output" 2>&1 || status=$?
[ $status -eq 2 ] && grep -q 'expected one of' "$WORK/output" || fail "exit $status for a machine that there is not"
echo ok
