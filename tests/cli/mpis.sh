# The same bits under two MPI libraries: runs of Open MPI on two ranks and of MPICH on three, of batch and data set scope; a
# checkpoint of one goes on under the other; errors, exit codes and signals under the other's launcher. make check-mpich
# builds the program of MPICH.
. "$HISS_ROOT/tests/cli/common"
other=$(dirname "$HISS")/mpich/hiss
if [ ! -x "$other" ]; then
    echo "$other: not found, the bits under MPICH are not compared"
    echo ok
    exit
fi
# The programs trade places with their launchers: on, train and refused use HISS and mpirun.
own=$HISS
open_mpi() { HISS=$own && export MPI=openmpi && PATH=$plain_path && . "$HISS_ROOT/tools/mpi_env" 8; }
mpich() { HISS=$other && export MPI=mpich && PATH=$plain_path && . "$HISS_ROOT/tools/mpi_env" 8; }
plain_path=$PATH

library() {
    sed -n 's/^  mpi: "\(.*\) [0-9][0-9.a-z]*"$/\1/p' "$1/summary.yaml"
}
identity() {
    sed -n '/^identity:/,/^[^ i]/p' "$1/summary.yaml"
}

small_run
mpich
"$HISS" --version | grep -q '^hiss [0-9].*, MPICH [0-9]' || fail 'the version does not name MPICH'
for scope in batch dataset; do
    open_mpi
    train 2 "$scope" --set assign.scope=$scope
    train 2 "$scope-part" --set assign.scope=$scope --set train.steps=31
    mpich
    train 3 "$scope-mpich" --set assign.scope=$scope
    same "$scope" "$scope-mpich"
    [ "$(library "$scope")/$(library "$scope-mpich")" = 'Open MPI/MPICH' ] || fail 'the summaries name other libraries' "$scope-mpich/summary.yaml"
    [ "$(identity "$scope")" = "$(identity "$scope-mpich")" ] || fail 'the library is part of the identity' "$scope-mpich/summary.yaml"
    cp -r "$scope-part" "$scope-again"
    train 3 "$scope-part" --set assign.scope=$scope # begun by Open MPI, ended by MPICH
    same "$scope" "$scope-part"
    [ "$(library "$scope-part")" = MPICH ] || fail 'not gone on under MPICH' "$scope-part/summary.yaml"
done
train 3 back --set train.steps=31
open_mpi
train 2 back
same batch back
[ "$(library back)" = 'Open MPI' ] || fail 'not gone on under Open MPI' back/summary.yaml

# What a user sees of its launcher: all ranks end with one code, of which it makes the bitwise or, and one line of error.
mpich
refused 3 'unknown key' "$HISS" train config.yaml --run none --set train.lane=3
on 3 "$HISS" doctor config.yaml
[ $status -eq 0 ] || fail "doctor: exit $status" log
grep -q '^OK    PMI from the launcher' log && grep -q '^OK    MPI: MPICH [0-9]' log || fail 'doctor does not know MPICH' log

# Ranks that get SIGUSR1 write a checkpoint, and the run goes on from it.
printf '#!/bin/bash\necho $$ >"pid-$PMI_RANK"\nexec "$@"\n' >ranks && chmod +x ranks
mpirun -n 3 ./ranks "$HISS" train config.yaml --run signal --set train.epochs=100000 --set optim.schedule=constant --progress lines >log 2>&1 &
job=$!
for _ in $(seq 600); do
    [ "$(cat signal/metrics.jsonl 2>/dev/null | wc -l)" -gt 0 ] && break
    sleep 0.1
done
kill -USR1 "$(cat pid-1)"
status=0
wait $job || status=$?
[ $status -eq 85 ] || fail "exit $status instead of 85 after SIGUSR1 to a rank" log
ls signal/ckpt/*.h5 >/dev/null || fail 'no checkpoint after SIGUSR1' log

# A rank that is killed ends the job.
rm -f pid-*
mpirun -n 3 ./ranks "$HISS" train config.yaml --run killed --set train.epochs=100000 --set optim.schedule=constant --progress lines >log 2>&1 &
job=$!
for _ in $(seq 600); do
    [ "$(cat killed/metrics.jsonl 2>/dev/null | wc -l)" -gt 0 ] && break
    sleep 0.1
done
kill -KILL "$(cat pid-1)"
status=0
wait $job || status=$?
echo "exit code of Hydra after SIGKILL to a rank: $status"
[ $status -ne 0 ] && [ $status -ne 85 ] || fail "exit $status of a job with a killed rank" log
echo ok
