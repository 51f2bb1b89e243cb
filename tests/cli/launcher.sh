# How a process was started, by the variables that sbatch, srun and mpirun set: tasks of srun that cannot find each other
# are refused before MPI begins, and one that is alone in a job of several is told.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.steps=5

# What srun sets for a task, and what the batch script has.
step=(SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4)
batch=(SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_PROCID=0)
for command in 'train config.yaml --run new' 'eval run' 'query run' 'features run --output new' doctor; do
    # shellcheck disable=SC2086
    refused 1 'srun has started 4 tasks without PMIx, so that they would not find each other; start them with srun --mpi=pmix' \
        env "${step[@]}" SLURM_PROCID=0 "$HISS" $command
    # shellcheck disable=SC2086
    refused 1 'srun has started 4 tasks with PMI in place of PMIx' env "${step[@]}" SLURM_PROCID=0 PMI_RANK=0 "$HISS" $command
    # shellcheck disable=SC2086
    on 1 env "${step[@]}" SLURM_PROCID=3 "$HISS" $command # rank 0 speaks for all
    [ $status -eq 2 ] && [ ! -s log ] || fail "exit $status of task 3, or it speaks: $command" log
done
[ ! -e new ] || fail 'left behind'
"$HISS" --version >/dev/null && env "${step[@]}" "$HISS" train --help >/dev/null || fail 'help is refused'

# mpirun's ranks inherit the variables of the srun that started its daemons.
on 2 env "${step[@]}" SLURM_STEP_NUM_TASKS=2 "$HISS" train config.yaml --run both --set train.steps=5
[ $status -eq 0 ] || fail "exit $status under mpirun in a step" log
same run both

alone='hiss: warning: .*alone'
judge=(--set eval.iterations=2 --set eval.layers=fc1 --set eval.few_labels=false)
for command in "eval run ${judge[*]}" 'query run' 'train config.yaml --run run --set train.steps=5'; do
    # shellcheck disable=SC2086
    on 1 env "${batch[@]}" "$HISS" $command
    [ $status -eq 0 ] || fail "exit $status of one process in a batch script: $command" log
    [ "$(grep -c "$alone" log)" -eq 1 ] || fail "not told once to be alone: $command" log
    # shellcheck disable=SC2086
    on 1 env "${batch[@]}" SLURM_NTASKS=1 "$HISS" $command
    ! grep -q "$alone" log || fail "told to be alone in a job of one task: $command" log
done
on 1 env "${batch[@]}" mpirun -n 1 "$HISS" query run
[ $status -eq 0 ] && ! grep -q "$alone" log || fail 'mpirun -n 1 was meant' log

# One that nobody has launched starts no daemon for itself.
mkdir nothing
TMPDIR=$PWD/nothing env -u OMPI_MCA_pml "$HISS" train config.yaml --run lonely --set train.epochs=100000 --progress lines >log 2>&1 &
job=$!
for ((k = 0; k < 500; k++)); do ! grep -qs '^epoch' log || break; sleep 0.02; done
grep -q '^epoch' log || fail 'it does not train' log
if pgrep -P $job -l | grep orted; then fail 'a daemon for one process'; fi
[ -z "$(ls nothing)" ] || fail "folders for one process: $(ls nothing)"
kill -TERM $job
wait $job || [ $? -eq 85 ] || fail 'the end' log

# While a study runs a launcher, Open MPI's folder is there, with something in it; then it is gone.
mkdir own
cat >launch <<'END'
#!/bin/bash
ls -d "$TMPDIR"/ompi.*/hiss-* >>"$TMPDIR/seen"
exec "$@"
END
chmod +x launch
cat >study.yaml <<'END'
name: held
seeds: [1]
launch: [./launch]
rows: {a: {config: config.yaml, set: [train.steps=5, eval.layers=fc1, eval.few_labels=false, eval.iterations=2]}}
columns: {knn: {reading: trained/fc1/knn.cosine.5}}
END
TMPDIR=$PWD/own "$HISS" compare study.yaml >log 2>&1 || fail "exit $?" log
[ "$(wc -l <own/seen)" -eq 2 ] || fail 'the folder is not held for both children' own/seen
[ "$(ls own)" = seen ] || fail "left behind: $(ls own)"
echo ok
