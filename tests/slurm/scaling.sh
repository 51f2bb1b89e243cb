# Scaling studies from sbatch to the report on two nodes: with mpirun and with srun each point runs on the nodes it asks
# for, whatever the allocation; threads have cores of their own; and a point on other nodes is INVALID, with the reason.
NODES=2 EPOCHS=4
. "$HISS_ROOT/tests/slurm/common"
small_run
no_shared_sessions
# Nodes are known by their host names, of which a plain cluster has one.
ranks='1 2 4' nodes='[1, 1, 2]' points=3
[ "$HISS_CLUSTER_MODE" = nodes ] || { ranks='1 2' nodes='[1, 1, 1]' points=2; }
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
# hosts RUN: how many hosts its ranks ran on
hosts() { sed -n 's/^  - {rank: [0-9]*, host: \([^,]*\),.*/\1/p' "$1/summary.yaml" | sort -u | wc -l; }

for launcher in mpirun srun; do
    script=$HISS_ROOT/jobs/scaling-strong.sbatch
    [ $launcher = mpirun ] || script=$HISS_ROOT/jobs/scaling-weak.sbatch
    # RANKS over the two in the study: the settings of the script reach the command.
    STUDY=study.yaml OUT=$launcher RANKS=$ranks OPTIONS='' LAUNCH=$launcher submit --nodes=2 --ntasks-per-node=2 "$script"
    ends COMPLETED 90
    for file in report.html report.txt scaling.csv; do
        [ -s "$launcher/$file" ] || fail "no $launcher/$file" "$job.log"
    done
    [ "$(find $launcher/points -name point.yaml | wc -l)" -eq $points ] || fail "not $points points" "$job.log"
    grep -q '^VALID' $launcher/report.txt || fail 'the study is not VALID' $launcher/report.txt
    grep -q "^job  *$job\$" $launcher/report.txt || fail 'the report does not name the job' $launcher/report.txt
    for run in "$launcher"/points/*-n*; do
        asked=${run##*-n}
        [ "$(hosts "$run")" -eq "${asked%-r*}" ] || fail "$run ran on $(hosts "$run") nodes" "$run/log.txt"
    done
done

# The nodes of the study win, and a study without RANKS runs on the nodes it needs: two ranks on one, and on two.
[ "$HISS_CLUSTER_MODE" = nodes ] || { echo ok && exit 0; }
sed -i 's/^ranks.*/ranks: [2, 2, 2]\nnodes: [1, 2, 1]\nthreads: [1, 1, 2]/' study.yaml
for launcher in mpirun srun; do
    STUDY=study.yaml OUT=both-$launcher RANKS='' OPTIONS='--set threads=[1,1,2]' LAUNCH=$launcher \
        submit --nodes=2 --ntasks-per-node=2 --cpus-per-task=2 "$HISS_ROOT/jobs/scaling-strong.sbatch"
    ends COMPLETED 90
    grep -q '^VALID: ' both-$launcher/report.txt || fail 'the study is not VALID' both-$launcher/report.txt
    for point in tiny-2x1-n1 tiny-2x1-n2 tiny-2x2-n1; do
        asked=${point##*-n}
        [ "$(hosts both-$launcher/points/$point-r1)" -eq "$asked" ] || fail "$point is not on $asked nodes" "$job.log"
    done
done

# A launcher of one's own that puts a point on the wrong nodes.
STUDY=study.yaml OUT=wrong RANKS='' OPTIONS='--set threads=1 --set ranks=2 --set nodes=1 --set launch=[mpirun,-n,RANKS,--map-by,node]' \
    LAUNCH=study submit --nodes=2 --ntasks-per-node=2 "$HISS_ROOT/jobs/scaling-strong.sbatch"
ends FAILED 90
says 'ran on 2 nodes (n1, n2) instead of 1' 4
grep -q '^INVALID: tiny-2x1-n1-r1 failed: ran on 2 nodes' wrong/report.txt || fail 'the report is not INVALID' wrong/report.txt
echo ok
