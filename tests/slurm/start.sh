# The first hour with the scripts: the default of train.sbatch, tasks of srun that do not find each other, and arrays
# whose first or last task is requeued.
NODES=4 EPOCHS=200
. "$HISS_ROOT/tests/slurm/common"
reference
cp -r "$HISS_ROOT/jobs" jobs
for run in 1 2 3; do echo "--set train.epochs=$EPOCHS"; done >sweep.txt

# The last task of an array has the id of the array.
SWEEP=sweep.txt RUNS=sweep submit --array=1-3 --output=%A_%a.log --nodes=1 --ntasks-per-node=1 jobs/array.sbatch
array=$job
id() { timeout 20 scontrol -o show job "$job" | sed -n 's/^JobId=\([0-9]*\) .*/\1/p'; }
stop_task() {
    job=${array}_$1
    epochs 2
    local id
    id=$(id)
    say "task $1 is job $id"
    # shellcheck disable=SC2046
    kill -STOP $("$cluster" ranks "$id")
    scancel --batch --signal=USR1 "$job"
    until_ok 20 'the script does not hear USR1' grep -q 'asked to stop' "$job.log"
    # shellcheck disable=SC2046
    kill -CONT $("$cluster" ranks "$id")
}
stop_task 3
stop_task 1

# As it is: two ranks of one thread, more than the lanes of this config; nothing but the program and the config is ours.
sed 's/lanes: 12, lane_samples: 4/lanes: 1, lane_samples: 48/' config.yaml >one-lane.yaml
default=$(CONFIG=one-lane.yaml OPTIONS='--set train.epochs=2' SBATCH_TIMELIMIT=5 timeout 20 sbatch --parsable jobs/train.sbatch) || fail 'sbatch jobs/train.sbatch'

for type in none pmi2; do
    status=0
    timeout 60 srun --mpi=$type --nodes=2 --ntasks=2 "$HISS" train config.yaml --run "by-$type" >log 2>&1 || status=$?
    [ $status -eq 2 ] || fail "exit $status with srun --mpi=$type" log
    [ "$(grep -c 'hiss: error: srun has started 2 tasks' log)" -eq 1 ] || fail "not said once with srun --mpi=$type" log
    [ ! -e by-$type ] || fail 'a run was begun'
done

job=hiss-$default
until_ok 30 'the default does not end' grep -q 'exit code 0' "$job.log"
says '2 ranks, but train.lanes is 1: 1 rank has no lane'
[ -e runs/hiss-"$default"/summary.yaml ] || fail 'not in the default place' "$job.log"

for task in 1 2 3; do
    job=${array}_$task
    ends COMPLETED
    requeued $((task == 2 ? 0 : 1))
    [ $task = 2 ] || says 'resumed from'
    same straight sweep/$task
done
echo ok
