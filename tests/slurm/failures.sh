# scancel, drain, the time limit, dead daemons and dead nodes: as docs/slurm.md says, and the run that goes on afterwards
# ends with the bits of the one that nothing interrupted.
NODES=12 EPOCHS=200
. "$HISS_ROOT/tests/slurm/common"
reference
train_job=$HISS_ROOT/jobs/train.sbatch

# frozen RUN LAUNCHER OPTION...: a job of 2 ranks, under way, in a step that does not end.
frozen() {
    RUN=$1 LAUNCH=$2 submit --ntasks-per-node=1 --exclusive "${@:3}" "$train_job"
    epochs 5
    freeze
    say "job $job: $1 on $(field NodeList)"
}
no_ranks() { [ -z "$("$cluster" ranks "$job")" ]; }

# ---- scancel: never comes back by itself ----

for launcher in mpirun srun; do
    RUN=cancelled-$launcher LAUNCH=$launcher submit --nodes=2 --ntasks-per-node=1 "$train_job"
    epochs 5
    freeze
    timeout 20 scancel "$job"
    ends CANCELLED
    until_ok 10 'ranks outlive the job' no_ranks
done

# ---- at once, for SLURM takes its time: on the nodes 1 and 2, 3 and 4, ... ----

frozen limit mpirun --nodes=1 --time=1 --signal=B:USR1@40
limit=$job
frozen slurmd-back mpirun --nodes=2
back=$job back_node=$(field BatchHost)
frozen slurmd-gone srun --nodes=2
gone=$job gone_ranks=$("$cluster" ranks "$job")
"$cluster" kill-slurmd "$back_node"
"$cluster" kill-slurmd "$(field BatchHost)" # and with it the hand of SLURM on rank 0
crashes=()
if [ "$HISS_CLUSTER_MODE" = nodes ]; then
    for run in crash lost-mpirun lost-srun; do
        frozen $run "$([ $run = lost-srun ] && echo srun || echo mpirun)" --nodes=2
        crashes+=("$job" $run)
        host=$(field BatchHost)
        [ $run = crash ] || host=$(scontrol show hostnames "$(field NodeList)" | grep -vx "$host")
        "$cluster" kill-node "$host"
    done
fi

# The daemon comes back: the job has not noticed.
"$cluster" start-slurmd "$back_node"
job=$back
sleep 1
thaw
ends COMPLETED
requeued 0
same straight slurmd-back
say 'slurmd back'

# ---- drain: the job goes on, and when it is requeued, elsewhere ----

RUN=drained LAUNCH=srun submit --nodes=1 --ntasks-per-node=2 "$train_job"
epochs 2
drained=$(field NodeList)
scontrol update nodename="$drained" state=drain reason=test
epochs 4
scancel --batch --signal=USR1 "$job"
ends COMPLETED
requeued 1
[ "$(field NodeList)" != "$drained" ] || fail "again on $drained, which is drained"
same straight drained
say 'drained'

# Cancelled runs go on, on other numbers of ranks.
for ranks in 1 3; do
    launcher=$([ $ranks = 1 ] && echo mpirun || echo srun)
    RUN=cancelled-$launcher LAUNCH=$launcher submit --nodes=1 --ntasks-per-node=$ranks "$train_job"
    ends COMPLETED
    says 'resumed from'
    same straight "cancelled-$launcher"
done
say 'cancelled'

# ---- what SLURM has given up ----

# Its rank 0 lives on: the next start waits for it.
job=$gone
until_ok 60 'no second start' grep -q 'waiting for its end' "$job.log"
say 'slurmd gone, given up'
# shellcheck disable=SC2086
kill -KILL $gone_ranks 2>/dev/null || :

job=$limit
until_ok 60 'no signal at the time limit' grep -q 'asked to stop' "$job.log"
thaw
ends COMPLETED
[ "$(field Restarts)" -ge 1 ] || fail 'not requeued' "$job.log" # or more: SLURM may send the signal a minute early
grep -qF '  requeued' "$job.log" || fail 'not requeued by the script' "$job.log"
same straight limit
say 'time limit'

job=$gone
ends COMPLETED
requeued 1
same straight slurmd-gone
say 'slurmd gone'

for ((i = 0; i < ${#crashes[@]}; i += 2)); do
    job=${crashes[i]} run=${crashes[i + 1]}
    ends COMPLETED 90
    requeued 1
    says "resumed from $run/ckpt/step-"
    same straight "$run"
    [ $run != lost-mpirun ] || says 'mpirun has lost a node'
    say "node crashed: $run"
done
echo ok
