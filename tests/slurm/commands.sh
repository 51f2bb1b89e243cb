# Every command line of the documentation that wants a cluster runs on one as it stands: README.md, docs/, and the heads of
# configs/ and jobs/ (tests/docs/commands finds them; tests/docs/rules says which). Sizes are cut by tests/docs/stand-ins/hiss
# and tests/slurm/stand-ins.
NODES=4 EPOCHS=1
. "$HISS_ROOT/tests/slurm/common"
. "$HISS_ROOT/tests/docs/common"
unset CONFIG OPTIONS
small_tree || fail 'no small tree' prepare.log
build/hiss train configs/nat-fashion.yaml --run runs/hiss-1234 --set train.steps=3 >train.log 2>&1 || fail 'no run' train.log
export HISS_NODES=$NODES PATH=$HISS_ROOT/tests/slurm/stand-ins:$PATH
unset HISS

empty() { [ -z "$(squeue -h)" ]; }
# settle: wait for all jobs; each must have ended well.
settle() {
    job=$(sed -n '$s/ .*//p' jobs.txt)
    [ -e "$job.log" ] || ln -sf "job-$job.log" "$job.log"
    until_ok 100 'jobs do not end' empty
    local id state
    while read -r id where command; do
        for state in $(timeout 20 scontrol -o show job "$id" | sed -n 's/.* JobState=\([^ ]*\).*/\1/p'); do
            [ "$state" = COMPLETED ] || {
                echo "FAILED: $where: $state: $command" >&2
                tail -n 8 "job-$id.log" >&2
                failed=$((failed + 1))
            }
        done
    done <jobs.txt
    : >jobs.txt
}

failed=0 ran=0 job='' done=$'\n'
: >jobs.txt
while IFS=$'\t' read -r where command; do
    rule "$command" && [ "$how" = slurm ] || continue
    case $done in *$'\n'"$command"$'\n'*) continue ;; esac
    done+=$command$'\n'
    ran=$((ran + 1))
    # What goes on with the run of another job waits for it.
    case $command in *RUN=*) settle ;; esac
    export OUT=runs/study-$ran RUNS=runs/sweep-$ran
    code=0
    timeout 60 bash -c "$(filled "${command//JOBID/$job}")" >output 2>&1 </dev/null || code=$?
    if [ $code -ne 0 ]; then
        failed=$((failed + 1))
        echo "FAILED: $where: exit $code: $command" >&2
        tail -n 5 output >&2
    fi
    for id in $(sed -n 's/^Submitted batch job //p; /^[0-9]*$/p' output); do
        job=$id
        echo "$job $where $command" >>jobs.txt
    done
    say "$command"
done < <("$HISS_ROOT/tests/docs/commands")
settle
studies=0
for report in runs/study-*/report.txt; do
    studies=$((studies + 1))
    grep -q '^VALID: ' "$report" || fail "a study of the documentation is not VALID: $report" "$report"
done
[ $studies -ge 2 ] || fail "only $studies studies have run"
[ $ran -ge 15 ] || fail "only $ran commands have run"
[ $failed -eq 0 ] || exit 1
echo ok
