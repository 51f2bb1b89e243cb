# Every command line of docs/scaling.md and docs/simulation.md runs as it is written; those of sbatch run in
# tests/slurm/scaling.sh.
. "$HISS_ROOT/tests/cli/common"
. "$HISS_ROOT/tests/cli/study_docs"
small_docs
for page in scaling.md simulation.md; do
    command_lines $page >lines
    [ "$(wc -l <lines)" -ge 5 ] || fail "$page has no command lines" lines
    while read -r line; do
        case $line in
        *sbatch*) continue ;;
        hiss\ simulate*) command -v smpirun >/dev/null && [ -x "$(dirname "$HISS")/hiss-smpi" ] || continue ;;
        esac
        bash -c "$line" >"$log" 2>&1 </dev/null || fail "$page: $line: exit $?" "$log"
    done <lines
done
echo ok
