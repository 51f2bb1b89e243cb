# A rank dies at its start, or MPI_Finalize fails (one line, exit code 70): the launcher ends too, in bounded time, even
# one that hangs.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
HISS=$build/faults/hiss
small_run
args=(config.yaml --run run --set train.steps=2)

# Launchers that hang when their ranks have gone, and some that are none of our business: not of Open MPI, or at work
# after a rank that has ended well.
hang() { # NAME FAULT CODE: as NAME, after a rank with that fault and exit code
    local folder=$2
    mkdir "$folder"
    cp /bin/bash "$folder/$1"
    cat >"$folder/script" <<END
HISS_FAULT=$2 $HISS train config.yaml --run $folder/run --set train.steps=2 >$folder/log 2>&1
[ \$? -eq $3 ] && : >$folder/done
trap '' TERM
read -r _ <>wait
END
    "$folder/$1" "$folder/script" &
    launchers+=($!)
}
mkfifo wait
launchers=()
deadly=('MPI_Finalize 70' 'MPI_Init_thread 2' 'MPI_Init_thread:1! 137' 'memory.alloc:1 2' 'memory.alloc:1! 137')
for line in "${deadly[@]}"; do
    # shellcheck disable=SC2086
    hang mpirun $line
done
hanging=("${launchers[@]}") launchers=()
hang other MPI_Finalize:1 70
hang mpirun none 0

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

for k in "${!hanging[@]}"; do
    status=0
    { wait "${hanging[k]}" || status=$?; } 2>/dev/null
    [ $status -eq 137 ] || fail "exit $status of a launcher that hangs: ${deadly[k]}"
done
[ "$(find . -name done | wc -l)" -eq 7 ] || fail "a rank ended with another code: $(find . -name done)"
for other in "${launchers[@]}"; do
    kill -0 "$other" || fail 'a process was killed that is no launcher of Open MPI, or at work'
    kill -KILL "$other"
    { wait "$other" || :; } 2>/dev/null
done
echo ok
