# MPI_Finalize fails: one line, exit code 70, and the launcher ends too, in bounded time, even one that hangs.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
make -C "$HISS_ROOT" --no-print-directory FAULTS=1 BUILD="$build/faults" all >make.log 2>&1 || fail 'no build with faults' make.log
HISS=$build/faults/hiss
small_run
args=(config.yaml --run run --set train.steps=2)

# A launcher that hangs when its ranks have gone, and one that is not of Open MPI and is none of our business.
for name in mpirun other; do
    cp /bin/bash $name
    cat >$name.sh <<END
HISS_FAULT=MPI_Finalize $HISS train config.yaml --run $name-run --set train.steps=2 >$name.log 2>&1
echo \$? >$name.code
trap '' TERM
read -r _ <>wait
END
done
mkfifo wait
./other other.sh &
other=$!
./mpirun mpirun.sh &
hanging=$!

for rank in 0 1; do
    for _ in 1 2 3; do
        rm -rf run
        HISS_FAULT=MPI_Finalize@$rank on 1 timeout 120 mpirun -n 2 "$HISS" train "${args[@]}"
        [ $status -eq 70 ] || [ $status -eq 137 ] || [ $status -eq 139 ] || fail "exit $status of rank $rank" log
        [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail 'not one line of error' log
        grep -q "hiss: error: .*MPI failed on rank $rank: MPI_Finalize" log || fail 'MPI_Finalize is not named' log
        [ -e run/summary.yaml ] || fail 'the run was done, but there is no summary' log
    done
done

status=0
wait $hanging || status=$?
[ $status -eq 137 ] || fail "exit $status of a launcher that hangs" mpirun.log
for name in mpirun other; do
    [ "$(cat $name.code)" = 70 ] || fail "exit $(cat $name.code) of a rank" $name.log
done
kill -0 $other || fail 'a process that is no launcher of Open MPI was killed'
kill -KILL $other
wait $other 2>/dev/null || :
echo ok
