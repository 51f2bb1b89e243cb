#!/bin/bash
# The test of tools/run_tests itself: it must count a crash, a hang, a liar and a forgotten test as failed.
set -eu
fake=$WORK/tests build=$WORK/build
mkdir -p "$fake"/{unit/fake,mpi,cli} "$build/tests"/{unit/fake,mpi}

# program KIND/NAME BODY: a test "program" that is a shell script.
program() {
    : >"$fake/$1.c"
    printf '#!/bin/bash\n%s\n' "$2" >"$build/tests/$1"
    chmod +x "$build/tests/$1"
}
script() {
    printf '%s\n' "$2" >"$fake/cli/$1.sh"
}
summary="echo '[==========] 1 test(s) run.'; echo '[  PASSED  ] 1 test(s).' >&2"

program unit/fake/test_good "$summary"
program unit/fake/test_skips "$summary; printf '[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] test_x\n\n 1 SKIPPED TEST(S)\n' >&2"
program unit/fake/test_crash "$summary; kill -SEGV \$\$"
program unit/fake/test_silent 'exit 0'
program unit/fake/test_none "echo '[  PASSED  ] 0 test(s).' >&2"
program unit/fake/test_liar "$summary; echo '[  FAILED  ] 1 test(s), listed below:' >&2"
program unit/fake/test_noisy "echo 'leaked 3 blocks' >&2; $summary"
program unit/fake/test_exit "$summary; exit 1"
program unit/fake/test_sanitizer "echo 'x.c:1:2: runtime error: signed integer overflow'; $summary"
: >"$fake/unit/fake/test_unbuilt.c"

program mpi/test_good 'echo "$OMPI_COMM_WORLD_RANK" >rank-$OMPI_COMM_WORLD_RANK; sleep 0.1; [ $OMPI_COMM_WORLD_RANK != 0 ] || echo ok'
program mpi/test_crash '[ $OMPI_COMM_WORLD_RANK != 1 ] || kill -SEGV $$; echo ok'
program mpi/test_liar 'echo almost ok'
program mpi/test_exit 'echo ok; exit 3'
program mpi/test_hang '[ $OMPI_COMM_WORLD_RANK != 1 ] || { echo $$ >"$PIDS/mpi"; sleep 1000; }; echo ok'

script good '[ -d "$WORK" ] && [ "$PWD" = "$WORK" ] && [ -n "$HISS" ] && echo ok'
script liar 'exit 0'
script early 'echo ok; echo more'
script exit 'echo ok; exit 1'
script crash 'echo ok; kill -ABRT $$'
script hang 'trap "" TERM; echo $$ >"$PIDS/hang"; sleep 1000 & echo $! >"$PIDS/child"; wait; sleep 1000; echo ok'
script orphan 'setsid -f true; sleep 1000 & echo $! >"$PIDS/orphan"; echo ok'
script forgotten 'echo ok'

cat >"$fake/list" <<'END'
# comment
unit/*
mpi/test_good 1 3   # comment
mpi/*         2
cli/[!f]*.sh together   # comment
make no-such-target
END

fail() {
    cat "$WORK/output" >&2
    echo "$1" >&2
    exit 1
}

# gone FILE: the process that FILE names has ended, or does so now: who is killed dies a moment later.
gone() {
    local pid k
    pid=$(cat "$1")
    for ((k = 0; k < 250; k++)); do
        if ! kill -0 "$pid" 2>/dev/null || grep -qs '^State:.*[ZX]' "/proc/$pid/status"; then return 0; fi
        sleep 0.02
    done
    return 1
}

export PIDS=$WORK/pids
mkdir "$PIDS"
status=0
"$HISS_ROOT/tools/run_tests" --tests "$fake" --build "$build" --timeout 5 >"$WORK/output" 2>&1 || status=$?

[ $status -eq 1 ] || fail "exit $status instead of 1"
for test in unit/fake/test_{good,skips} 'mpi/test_good -n 1' 'mpi/test_good -n 3' cli/good.sh cli/orphan.sh; do
    grep -q "^ok    $test" "$WORK/output" || fail "$test did not pass"
done
for test in unit/fake/test_{crash,silent,none,liar,noisy,exit,sanitizer,unbuilt} 'mpi/test_crash -n 2' 'mpi/test_liar -n 2' \
    'mpi/test_exit -n 2' 'mpi/test_hang -n 2' cli/{liar,early,exit,crash,hang,forgotten}.sh 'make no-such-target'; do
    grep -q "^FAIL  $test (" "$WORK/output" || fail "$test did not fail"
done
grep -q '^FAIL  cli/hang.sh (no end after 5 s' "$WORK/output" || fail "the hang is not called one"
grep -q '^      skipped: test_x$' "$WORK/output" || fail "what was skipped is not named"
grep -q '^FAIL  unit/fake/test_crash (exit 139, signal SEGV' "$WORK/output" || fail "the crash is not called one"
[ "$(tail -n 1 "$WORK/output")" = '6 passed, 19 failed' ] || fail "wrong last line"

# Nothing the tests started is left.
for file in "$PIDS"/*; do
    gone "$file" || fail "$(basename "$file") still runs"
done
[ "$(ls "$PIDS" | wc -l)" -eq 4 ] || fail "not every hanging test has started"

# Two that pass only while the other one runs.
if [ "$(nproc)" -ge 2 ]; then
    meets='touch $me; for ((k = 0; k < 200; k++)); do [ ! -e $other ] || break; sleep 0.02; done; [ -e $other ] && echo ok'
    script meets_a "me=$PIDS/a.met other=$PIDS/b.met; $meets"
    script meets_b "me=$PIDS/b.met other=$PIDS/a.met; $meets"
    "$HISS_ROOT/tools/run_tests" --tests "$fake" --build "$build" 'cli/meets_*' >"$WORK/output" 2>&1 || fail 'not together'
    rm "$fake"/cli/meets_*
fi

# An interruption ends what runs at the same time, too.
rm -f "$PIDS"/*
setsid bash -c 'trap - INT && exec "$@"' - "$HISS_ROOT/tools/run_tests" --tests "$fake" --build "$build" --timeout 60 'cli/hang.sh' 'cli/good.sh' >"$WORK/output" 2>&1 &
runner=$!
for ((k = 0; k < 500; k++)); do [ ! -s "$PIDS/child" ] || break; sleep 0.02; done
kill -TERM $runner
status=0
wait $runner || status=$?
[ $status -eq 130 ] || fail "interrupted: exit $status"
gone "$PIDS/hang" || fail 'a test outlives the interrupted runner'

# All pass: exit 0.
"$HISS_ROOT/tools/run_tests" --tests "$fake" --build "$build" unit/fake/test_good cli/good.sh >"$WORK/output" 2>&1 ||
    fail "exit $? for passing tests"
[ "$(tail -n 1 "$WORK/output")" = '2 passed, 0 failed' ] || fail "wrong last line for passing tests"

# Some numbers of ranks only.
"$HISS_ROOT/tools/run_tests" --tests "$fake" --build "$build" --ranks '1 2' mpi/test_good >"$WORK/output" 2>&1 ||
    fail "exit $? with fewer numbers of ranks"
[ "$(sed 's/ (.*//' "$WORK/output")" = $'ok    mpi/test_good -n 1\n1 passed, 0 failed' ] || fail 'other numbers of ranks'

# A pattern that matches nothing is an error, not a success.
if "$HISS_ROOT/tools/run_tests" --tests "$fake" --build "$build" unit/nothing >"$WORK/output" 2>&1; then
    fail "a pattern without tests passes"
fi
echo ok
