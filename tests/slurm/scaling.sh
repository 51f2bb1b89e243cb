# A strong scaling study from sbatch to the report: jobs/scaling-strong.sbatch on two nodes.
NODES=2 EPOCHS=4
. "$HISS_ROOT/tests/slurm/common"
script=$HISS_ROOT/jobs/scaling-strong.sbatch
if [ ! -e "$script" ]; then
    echo "jobs/scaling-strong.sbatch: not found, the scaling study is skipped"
    echo ok
    exit 0
fi
small_run
cat >study.yaml <<'END'
name: tiny
configs:
  tiny: {file: config.yaml}
ranks: [1, 2]
repeats: 1
steps: 24
warmup: 4
window: 2
END
# RANKS 1 2 4 over the two in the study: the settings of the script reach the command.
STUDY=study.yaml OUT=study RANKS='1 2 4' OPTIONS='' MPIRUN_OPTIONS='--bind-to none' \
    submit --nodes=2 --ntasks-per-node=2 "$script"
ends COMPLETED 90
for file in report.html report.txt scaling.csv; do
    [ -s "study/$file" ] || fail "no study/$file" "$job.log"
done
[ "$(find study/points -name point.yaml | wc -l)" -eq 3 ] || fail 'not three points' "$job.log"
! grep -q INVALID study/report.txt || fail 'ranks have changed the bits' study/report.txt
echo ok
