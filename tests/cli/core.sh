# The core of OpenBLAS: hiss chooses it without a second start, so that every process is called hiss, and hands nothing of
# it on to what it starts; what runs is said, also when another one was asked for.
. "$HISS_ROOT/tests/cli/common"
small_run
HISS=$(realpath "$HISS")

core() { sed -n 's/^  kernels: "blas, OpenBLAS [^ ]* \([A-Za-z0-9_]*\),.*/\1/p' "$1/summary.yaml"; }
wide() { case $1 in SkylakeX | Cooperlake | SapphireRapids) ;; *) return 1 ;; esac; }
avx512=$(grep -m 1 -c '^flags.* avx512f .*avx512vl' /proc/cpuinfo || :)
choice=no
if OPENBLAS_CORETYPE=Prescott "$HISS" doctor | grep -q 'core (Prescott)\|kernels: .* Prescott'; then choice=yes; fi

# watch COMMAND...: run it; the names it has while it is hiss go to the file names, what it inherits to the file given.
cat >watch <<END
#!/bin/bash
echo "\${OPENBLAS_CORETYPE-unset}" >>given
"\$@" &
while kill -0 \$! 2>/dev/null; do
    if [ "\$(readlink /proc/\$!/exe)" = "$HISS" ]; then cat /proc/\$!/comm >>names; fi
    sleep 0.01
done 2>/dev/null
wait \$!
END
chmod +x watch
# watched WHAT GIVEN: all were called hiss, and had been given this.
watched() {
    [ -s names ] || fail "$1: no process of hiss was seen"
    [ "$(sort -u names)" = hiss ] || fail "$1: processes are called $(sort -u names | tr '\n' ' ')"
    [ "$(sort -u given)" = "$2" ] || fail "$1: the environment says $(sort -u given | tr '\n' ' '), not $2"
    rm -f names given
}

# ---- OpenBLAS does not know the processor and takes a narrow core; nobody has asked for one ----

${CC:-cc} -shared -fPIC -o odd_core.so "$HISS_ROOT/tests/cli/preload/odd_core.c"
unset OPENBLAS_CORETYPE
export LD_PRELOAD=$PWD/odd_core.so
train 1 plain
on 1 ./watch "$HISS" train config.yaml --run one
[ $status -eq 0 ] || fail "exit $status" log
watched 'one rank' unset
on 2 ./watch "$HISS" train config.yaml --run two
[ $status -eq 0 ] || fail "exit $status" log
watched 'two ranks' unset
same plain one
same plain two
if [ "$choice$avx512" = yes1 ]; then
    for run in one two; do
        wide "$(core $run)" || fail "$run: the core is $(core $run) on a processor with AVX-512" $run/summary.yaml
    done
fi

cat >study.yaml <<'END'
name: names
configs:
  tiny: {file: config.yaml}
ranks: [2]
repeats: 1
steps: 24
warmup: 4
window: 2
launch: [mpirun, -n, RANKS, ./watch]
END
study() {
    on 1 ./watch "$HISS" scale run study.yaml --out "$1"
    [ $status -eq 0 ] || fail "scale: exit $status" log
}
study by-hiss
watched 'scale and its ranks' unset
OPENBLAS_CORETYPE=Haswell study by-user
watched 'scale and its ranks, with a core of the user' Haswell

mkdir bin
for program in mpirun smpirun; do
    real=$(command -v $program) || continue
    printf '#!/bin/bash\necho "${OPENBLAS_CORETYPE-unset}" >>"%s/given"\nexec %s "$@"\n' "$PWD" "$real" >bin/$program
    chmod +x bin/$program
done
if [ -e bin/smpirun ] && [ -x "$(dirname "$HISS")/hiss-smpi" ]; then
    PATH=$PWD/bin:$PATH on 1 ./watch "$HISS" simulate config.yaml --ranks 1,2 --steps 1 \
        --platform "$HISS_ROOT/configs/platforms/fat-tree-10g.yaml"
    [ $status -eq 0 ] || fail "simulate: exit $status" log
    [ "$(wc -l <given)" -gt 1 ] || fail 'simulate starts no smpirun' log
    watched 'simulate and what it starts' unset
fi
unset LD_PRELOAD

# ---- what the user asks for: none, one, none there is, one the processor lacks ----

train 1 default
OPENBLAS_CORETYPE='' train 1 empty
same default empty
[ "$(core default)" = "$(core empty)" ] || fail 'an empty OPENBLAS_CORETYPE chooses a core' empty/summary.yaml
grep -q OPENBLAS_CORETYPE log && fail 'an empty OPENBLAS_CORETYPE is remarked on' log

OPENBLAS_CORETYPE=Foo train 2 unknown
real=$(core unknown)
[ "$(grep -c "hiss: warning: OPENBLAS_CORETYPE is Foo, which is no core of this OpenBLAS: it runs $real;" log)" -eq 1 ] ||
    fail 'no warning of an unknown core' log
OPENBLAS_CORETYPE=Foo on 2 "$HISS" eval unknown
[ "$(grep -c "hiss: warning: OPENBLAS_CORETYPE is Foo.* it runs $real;" log)" -eq 1 ] || fail 'eval does not warn' log
OPENBLAS_CORETYPE=Foo on 1 "$HISS" doctor
grep -q "^WARN  OPENBLAS_CORETYPE is Foo.* it runs $real;" log || fail 'doctor does not warn' log

if [ $choice = yes ]; then
    OPENBLAS_CORETYPE=haswell train 1 asked # as OpenBLAS compares names
    [ "$(core asked)" = Haswell ] || fail "asked for Haswell, runs $(core asked)" asked/summary.yaml
    grep -q 'hiss: warning: OPENBLAS_CORETYPE' log && fail 'a core that runs as asked is warned of' log
    if ! grep -q '^flags.* fma4' /proc/cpuinfo; then
        OPENBLAS_CORETYPE=Bulldozer refused 1 'OPENBLAS_CORETYPE is Bulldozer, but this processor lacks' \
            "$HISS" train config.yaml --run impossible
        [ ! -e impossible ] || fail 'a run directory of a run that could not begin'
    fi
fi
echo ok
