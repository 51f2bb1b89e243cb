# jobs/*.sbatch without SLURM, run as SLURM would: a program that cannot be started, a launcher that loses a node or does
# not end, and what the words behind the script's name are.
. "$HISS_ROOT/tests/cli/common"
small_run
export CONFIG=config.yaml MPIRUN_OPTIONS='--bind-to none' SLURM_NTASKS=1 MAX_IDLE=0
real=$HISS
mkdir bin
export PATH=$PWD/bin:$PATH
# stand_in NAME TEXT...: a program in the way of the real one
stand_in() {
    printf '%s\n' '#!/bin/bash' "${@:2}" >"$1"
    chmod +x "$1"
}
# job CODE TEXT SCRIPT ARGUMENT...: ends with CODE, and says TEXT once.
job() {
    on 1 bash "$HISS_ROOT/jobs/$3" "${@:4}"
    [ $status -eq "$1" ] || fail "exit $status instead of $1: $3" log
    [ "$(grep -cF -- "$2" log)" -eq 1 ] || fail "not said once: $2" log
}

# ---- the program ----

stand_in library 'echo "error while loading shared libraries: libhdf5.so" >&2; exit 127'
stand_in locked && chmod -x locked
stand_in foreign 'kill -ILL $$'
stand_in elsewhere '[ "$1" = --version ] || kill -ILL $$' # of which only other nodes complain
for script in train eval prepare; do
    for HISS in ./absent ./library ./locked; do
        RUN=run job 2 "HISS=$HISS cannot be started" $script.sbatch
    done
    HISS=./foreign RUN=run job 2 'built for another processor' $script.sbatch
    [ ! -e run ] || fail "$script.sbatch leaves a run"
done
HISS=./elsewhere RUN=run job 2 'built for another processor' train.sbatch
export HISS=$real

# ---- words ----

sed 's/^seed: 3/seed: 4/' config.yaml >other.yaml
RUN=run job 0 'train other.yaml --run run' train.sbatch other.yaml --set train.steps=2
grep -q '^seed: 4$' run/config.yaml || fail 'the config behind the name of the script does not count' log
job 0 "train config.yaml --run runs/hiss-none" train.sbatch --set train.steps=2
SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 job 0 '--run runs/hiss-7_3' train.sbatch --set train.steps=2

# ---- the launcher ----

# A node is lost: as Open MPI 4 and 5 say it. Without a checkpoint that is no reason to come back.
cat >bin/squeue <<'END'
#!/bin/bash
echo "$*" >>asked
[ "$(wc -l <asked)" -gt 2 ] || echo RUNNING
END
stand_in bin/scontrol 'echo "SlurmdTimeout           = 5 sec"'
chmod +x bin/squeue
for code in 205 207; do
    stand_in bin/mpirun "exit $code"
    rm -f asked
    RUN=lost-$code job $code "exit code $code" train.sbatch
    rm bin/mpirun
    RUN=lost-$code job 0 'exit code 0, checkpoint of step 30' train.sbatch --set train.steps=30
    stand_in bin/mpirun "exit $code"
    SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 RUN=lost-$code job 85 'mpirun has lost a node' train.sbatch
    grep -q -- '-j 7_3 ' asked || fail 'SLURM is asked about another job' asked
    rm bin/mpirun
done

# It fails by itself: a reason to come back where it has been restarted and the run has begun, and not for ever.
stand_in bin/mpirun 'exit 1'
RUN=run job 1 'exit code 1' train.sbatch
SLURM_RESTART_COUNT=1 RUN=none job 1 'exit code 1' train.sbatch
SLURM_RESTART_COUNT=1 RUN=lost-205 job 85 'the launcher has failed by itself in a job that was restarted' train.sbatch
rm bin/mpirun

# It does not end after the run, and long before that it takes its time.
stand_in bin/mpirun 'sleep 3' '"${@:5}" || exit' 'exec sleep 1000'
RUN=late LINGER=2 job 85 'the launcher has not ended with the run: killed' train.sbatch --set train.steps=30
[ -e late/summary.yaml ] || fail 'killed before the end' log
# What ends it may be slow to say that it did.
sed 's/^    exit 85$/    sleep 1 \&\& exit 85/' "$HISS_ROOT/jobs/train.sbatch" >slow.sbatch
! cmp -s slow.sbatch "$HISS_ROOT/jobs/train.sbatch" || fail 'nothing is slower'
RUN=later LINGER=2 on 1 bash slow.sbatch --set train.steps=30
[ $status -eq 85 ] || fail "exit $status where the launcher was killed" log
rm bin/mpirun
RUN=late job 0 'nothing is left to do' train.sbatch --set train.steps=30
echo ok
