# Preemption and every other USR1: checkpoint, exit 85, requeue, and the bits of the run that nothing
# interrupted. But not for ever.
NODES=4 EPOCHS=200
. "$HISS_ROOT/tests/slurm/common"
reference
train_job=$HISS_ROOT/jobs/train.sbatch

stopped=()
for launcher in mpirun srun; do
    RUN=usr1-$launcher LAUNCH=$launcher submit --nodes=2 --ntasks-per-node=1 "$train_job"
    epochs 3
    freeze # or a fast machine is through before the signal comes
    scancel --batch --signal=USR1 "$job"
    until_ok 20 'the script does not hear USR1' grep -q 'asked to stop' "$job.log"
    thaw
    stopped+=("$job" "usr1-$launcher")
done

# Asked before there is anybody to hear it.
RUN=early submit --nodes=2 --ntasks-per-node=1 "$train_job"
until_ok 30 'no start' grep -q '==' "$job.log"
scancel --batch --signal=USR1 "$job"
early=$job
# The launcher falls, or has lost the signal and gets another one 2 s later: if there are ranks, they have to be there then.
has_ranks() { [ -n "$("$cluster" ranks "$job")" ]; }
for _ in $(seq 30); do
    if has_ranks; then
        freeze || break # they have fallen with it
        sleep 4
        thaw || :
        break
    fi
    sleep 0.1
done

# No more than MAX_RESTARTS, not without a step, and not after an error.
cat >idle <<'END'
#!/bin/bash
mkdir -p only-idle
exit 85
END
chmod +x idle
RUN=only-idle HISS=./idle MAX_IDLE=1 submit --nodes=1 --ntasks-per-node=1 "$train_job"
idle=$job
RUN=counted MAX_RESTARTS=0 LAUNCH=srun submit --nodes=1 --ntasks-per-node=2 "$train_job"
epochs 1
scancel --signal=USR1 "$job" # the ranks alone
ends FAILED
requeued 0
says 'restarted 0 times, not again; to go on, submit with RUN=counted'
[ "$(field ExitCode)" = 85:0 ] || fail "$(field ExitCode) instead of 85"
RUN=counted CONFIG=missing.yaml submit --nodes=1 --ntasks-per-node=1 "$train_job"
ends FAILED
requeued 0
[ "$(field ExitCode)" = 2:0 ] || fail "$(field ExitCode) instead of 2"
RUN=counted submit --nodes=3 --ntasks-per-node=1 "$train_job"
ends COMPLETED
says 'resumed from counted/ckpt/step-'
same straight counted
say 'bounds'
for ((i = 0; i < ${#stopped[@]}; i += 2)); do
    job=${stopped[i]} run=${stopped[i + 1]}
    ends COMPLETED
    requeued 1
    says ', 0 at the start' # with 85, or 143 when srun has ended the last rank
    says '  requeued'
    says "resumed from $run/ckpt/step-"
    says 'exit code 0, checkpoint of step 2400'
    same straight "$run"
    say "USR1, $run"
done
job=$idle
ends FAILED
requeued 1
says 'no step further in 2 starts'
job=$early
ends COMPLETED
requeued 1
same straight early
say 'early and idle'

# Preempted by a job of a partition that goes first.
RUN=preempted LAUNCH=srun submit --nodes=3 --ntasks-per-node=1 --exclusive "$train_job"
preempted=$job
epochs 2
freeze
submit --partition=high --nodes=2 --exclusive --job-name=first --wrap 'sleep 1'
first=$job job=$preempted
until_ok 40 'not preempted' grep -q 'asked to stop' "$job.log"
thaw
job=$first
ends COMPLETED
job=$preempted
ends COMPLETED
requeued 1
same straight preempted
say 'preempted'

echo ok
