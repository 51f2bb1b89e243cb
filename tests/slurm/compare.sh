# A comparison as a job array: a task for each row and seed, on two ranks, and the table after all of them. Submitted again,
# only what is missing is done. A task that is stopped goes back into the queue, and the table waits for it.
NODES=2 EPOCHS=2
. "$HISS_ROOT/tests/slurm/common"
small_run
cat >study.yaml <<'END'
name: tiny
seeds: [1, 2]
base: [train.epochs=2, eval.few_labels=false, eval.iterations=20]
ranks: 2
rows:
  nat: {config: config.yaml}
  other: {config: other.yaml}
columns:
  linear fc1: {reading: trained/fc1/linear.percent}
slurm: {options: [--time=5]}
END
cp config.yaml other.yaml
has() { grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"; }
# study OPTION...: submit it; sets runs and job, the numbers of the array and of the table's job.
study() {
    on 1 "$HISS" compare study.yaml --out out --submit "$@"
    [ $status -eq 0 ] || fail "--submit: exit $status" log
    runs=$(sed -n 's/^job \([0-9]*\): .*runs.sbatch$/\1/p' log)
    job=$(sed -n 's/^job \([0-9]*\): .*table.sbatch$/\1/p' log)
    [ -n "$job" ] || fail 'no job for the table' log
    ln -sf "out/jobs/table-$job.log" "$job.log"
}
study
until_ok 60 'no run begins' test -e out/runs/nat-s1/config.yaml
ends COMPLETED 100
has out/jobs/runs.sbatch '^#SBATCH --array=1,2,3,4$'
has out/table.md ' 4 runs done, 0 failed, 0 to do\.'
for run in out/runs/*; do
    has "$run/summary.yaml" '^  ranks: 2$'
    has "$run/compare.yaml" "^job: \"*${runs}_[1-4]"
done
rm -r out/runs/other-s1
study
ends COMPLETED 100
has out/jobs/runs.sbatch '^#SBATCH --array=2$'
has out/table.md ' 4 runs done, 0 failed, 0 to do\.'

# Stopped while its row trains, a task goes on with it, and then with its transfer.
cat >>study.yaml <<'END'
transfers:
  fc: {config: config.yaml, set: [train.epochs=1, objective=supervised, eval.few_labels=false, eval.layers=fc1, eval.iterations=20]}
END
study --set 'base=[train.epochs=1500,checkpoint.every=500epochs,eval.few_labels=false,eval.iterations=20]' --set seeds=[3] \
    --set 'rows={nat: {config: config.yaml}}'
trains() { grep -q '^epoch' out/runs/nat-s3/log.txt; }
until_ok 60 'the task does not train' trains
timeout 20 scancel --batch --signal=USR1 "${runs}_1"
ends COMPLETED 200
has "out/jobs/runs-${runs}_1.log" "job ${runs}_1 goes back into the queue"
has out/runs/nat-s3/log.txt 'resumed from'
has out/runs/nat-s3-fc/summary.yaml '^  init_sha256: '
has out/table.md ' 2 runs done, 0 failed, 0 to do\.'
echo ok
