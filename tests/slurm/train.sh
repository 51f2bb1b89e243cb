# jobs/train.sbatch over several nodes with both launchers: the bits of one rank. And all scripts are ones that SLURM
# takes.
NODES=4 EPOCHS=40
. "$HISS_ROOT/tests/slurm/common"
reference
say 'reference done'
no_shared_sessions
for script in "$HISS_ROOT/jobs"/*.sbatch; do
    timeout 20 sbatch --test-only --ntasks-per-node=2 --cpus-per-task=1 "$script" >log 2>&1 || fail "--test-only $script" log
done

for launcher in mpirun srun; do
    RUN=run-$launcher LAUNCH=$launcher submit --nodes=3 --ntasks-per-node=2 "$HISS_ROOT/jobs/train.sbatch"
    ends COMPLETED
    say "$launcher: $(field NodeList)"
    grep -q 'ranks 6, threads 1, lanes 12' "$job.log" || fail 'not 6 ranks' "$job.log"
    same straight "run-$launcher"
done
no_sessions_left
echo ok
