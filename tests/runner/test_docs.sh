#!/bin/bash
# The test of what finds the command lines of the documentation, and of the table that says how they run: nothing that
# looks like a command is left out, nothing else is taken for one, and a command without a rule is noticed.
set -eu
cd "$WORK"
fail() {
    echo "$*" >&2
    exit 1
}

cat >page.md <<'END'
# Page

Text with `hiss eval RUN`, `train.epochs`, a call `hiss_tree_sum`, and one over two lines: `mpirun -n 2 hiss
bench all`. And `tools/deps check`; no file: `tools/no-such-thing`.

    make demo     # remark
    $ FOO="a b" BAR='c' hiss train x.yaml --set a=b
    epoch 1/8  step 937
    cat file | head -n 1; true
    mpirun -n 8 hiss train \
        --set data.file=x
    step: 40

```yaml
make: not a command
```

```sh
sbatch jobs/train.sbatch
```

- an item
    hiss in the text of an item, `make asan`
END
cat >expected <<'END'
page.md:3	hiss eval RUN
page.md:3	mpirun -n 2 hiss bench all
page.md:3	tools/deps check
page.md:6	make demo
page.md:7	FOO="a b" BAR='c' hiss train x.yaml --set a=b
page.md:9	cat file | head -n 1; true
page.md:10	mpirun -n 8 hiss train --set data.file=x
page.md:19	sbatch jobs/train.sbatch
page.md:23	make asan
END
cat >head.sbatch <<'END'
#!/bin/bash
# What it does:
#   RUN=a sbatch jobs/train.sbatch --set a=b        a remark
#   hiss scale run a && hiss scale report b
# Wait for it: sbatch --dependency=afterok:1 jobs/train.sbatch
# or `make demo`.
#SBATCH --nodes=2
make all
END
cat >>expected <<'END'
head.sbatch:3	RUN=a sbatch jobs/train.sbatch --set a=b
head.sbatch:4	hiss scale run a
head.sbatch:4	hiss scale report b
head.sbatch:5	sbatch --dependency=afterok:1 jobs/train.sbatch
head.sbatch:6	make demo
END
"$HISS_ROOT/tests/docs/commands" "$WORK/page.md" "$WORK/head.sbatch" | sed "s#^$WORK/##" | sort >found
sort expected | diff - found >&2 || fail 'other command lines were found than there are'

# shellcheck source=tests/docs/common
. "$HISS_ROOT/tests/docs/common"
for command in 'make asan' 'hiss bench' 'sbatch jobs/train.sbatch' "RANKS=\"1 2\" sbatch x"; do
    rule "$command" || fail "no rule for $command"
done
rule 'sbatch jobs/train.sbatch' && [ "$how" = slurm ] || fail "sbatch: $how"
for command in 'curl x' 'srunning' 'cat file' 'tests/new-program 3'; do
    ! rule "$command" || fail "line $line of the rules takes $command"
done
echo ok
