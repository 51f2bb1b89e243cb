# The other scripts of jobs/: data, a sweep, a chain, an evaluation; and SLURM takes all of them.
NODES=3 EPOCHS=200
. "$HISS_ROOT/tests/slurm/common"
reference
# As written they fit small nodes and short time limits.
for script in "$HISS_ROOT"/jobs/*.sbatch; do
    timeout 20 sbatch --test-only "$script" >log 2>&1 || fail "--test-only $script" log
done
cp -r "$HISS_ROOT/jobs" jobs

# ---- a data set, and a sweep that waits for it ----

submit jobs/prepare.sbatch idx --images images.idx --labels labels.idx --output 'data set.h5'
prepare=$job
cat >sweep.txt <<'END'
# three runs of one step more than an epoch
--set train.steps=13

--set train.steps=13 --set optim.lr=0.2
  other.yaml --set train.steps=13
END
sed 's/^seed: 3/seed: 4/' config.yaml >other.yaml
RUN=ignored SWEEP=sweep.txt RUNS=sweep submit --dependency="afterok:$prepare" --array=1-4%2 --output=sweep-%a.log \
    --ntasks-per-node=1 --nodes=1 jobs/array.sbatch --set data.file='data set.h5'
array=$job
RUN='' submit --dependency="afterany:$prepare" jobs/eval.sbatch
no_run=$job

job=$prepare
ends COMPLETED
cmp data.h5 'data set.h5' || fail 'the same data set, prepared twice, differs'

# ---- a chain: the first piece is stopped, the second ends the run, the third has nothing left to do ----

RUN=chained LAUNCH=srun TRAIN=jobs/train.sbatch jobs/chain.sh 3 --nodes=1 --ntasks-per-node=1 --cpus-per-task=1 --time=5 --output=%j.log \
    -- --set augment.flip=true >pieces
[ "$(wc -l <pieces)" -eq 3 ] || fail 'not three jobs' pieces
mapfile -t piece <pieces
job=${piece[0]}
epochs 2
freeze
scancel --batch --signal=USR1 "$job"
until_ok 20 'the signal is lost' grep -q 'asked' "$job.log"
thaw
ends FAILED
says 'not requeued, as REQUEUE=no says'
job=${piece[1]}
ends COMPLETED
says 'resumed from chained/ckpt/step-'
job=${piece[2]}
ends COMPLETED
says 'nothing is left to do'
same straight chained

# The other kind: what is left over when a piece completes the run is removed.
RUN=chained AFTER=afternotok jobs/chain.sh 2 --ntasks-per-node=1 --nodes=1 --cpus-per-task=1 --time=5 --output=%j.log -- --set augment.flip=true >pieces
mapfile -t piece <pieces
job=${piece[0]}
ends COMPLETED
job=${piece[1]}
ends CANCELLED

# ---- what became of the sweep ----

array_done() { [ -z "$(squeue -h -j "$array")" ]; }
until_ok 60 'the sweep does not end' array_done
alone=('' '--set optim.lr=0.2' '--set seed=4')
for task in 1 2 3; do
    # shellcheck disable=SC2086
    train 1 "alone-$task" --set "train.epochs=$EPOCHS" --set train.steps=13 ${alone[task - 1]}
    same "sweep/$task" "alone-$task"
done
[ ! -e sweep/4 ] && [ ! -e ignored ] || fail 'runs that nobody asked for'
grep -q 'there is no line 4: sweep.txt has 3' sweep-4.log || fail 'no word on the fourth task' sweep-4.log

# ---- evaluation ----

job=$no_run
ends FAILED
says 'set RUN'
no_shared_sessions
for launcher in mpirun srun; do
    rm -f chained/eval.json chained/query.png
    RUN=chained LAUNCH=$launcher QUERY=yes OPTIONS='--set eval.draws=1' submit --nodes=2 --ntasks-per-node=1 jobs/eval.sbatch \
        --set eval.iterations=5 --set eval.layers=fc1 --set eval.few_labels=false
    ends COMPLETED
    [ -s chained/eval.json ] && [ -s chained/query.png ] || fail "no results with $launcher" "$job.log"
done
no_sessions_left
echo ok
