# Descriptions of packages say what the Makefile says: the version, what is needed, what is installed. Whatever tool of theirs
# is here reads them.
. "$HISS_ROOT/tests/cli/common"
cd "$HISS_ROOT" || exit 1
version=$(sed -n 's/^VERSION := //p' Makefile) so=$(sed -n 's/^SOVERSION := //p' Makefile)
[ -n "$version" ] && [ -n "$so" ] || fail 'no version in the Makefile'
has() { grep -qF -- "$2" "$1" || fail "$1 has no '$2'" "$1"; }
has packages/debian/changelog "hiss ($version-1)"
has CITATION.cff "version: $version"
has packages/spack/package.py "version(\"$version\")"
has "packages/easybuild/hiss-$version-foss-2023b.eb" "version = '$version'"
has "packages/lmod/$version.lua" "Version: $version"
has packages/apptainer/hiss.def "hiss-$version.tar.gz"
has packages/debian/control "Package: libhiss$so"

# Each package of Debian that tools/deps names for the build is one that the deb is built with.
packages=$(awk -F ' *[|] *' '$1 ~ /(build|openmpi)$/ && $3 == "lib" { print $6 }' tools/deps)
[ "$(wc -w <<<"$packages")" -ge 9 ] || fail "tools/deps has only $packages"
for package in $packages; do has packages/debian/control "$package"; done

# Python that parses; the same names of libraries as Spack's of tools/deps.
if command -v python3 >/dev/null; then
    python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' packages/spack/package.py packages/easybuild/*.eb ||
        fail 'not Python'
fi
if [ -r /usr/share/lmod/lmod/init/bash ]; then
    mkdir -p "$WORK/modules/hiss" && cp "packages/lmod/$version.lua" "$WORK/modules/hiss/"
    # shellcheck disable=SC2016
    found=$(env -u BASH_ENV bash -c '. /usr/share/lmod/lmod/init/bash; module use "$1"; HISS_PREFIX=/opt/here module load hiss; echo "$PATH $MANPATH"' \
        bash "$WORK/modules" 2>"$log") || fail 'module load' "$log"
    [[ $found == /opt/here/bin:*/opt/here/share/man* ]] || fail "module load: $found" "$log"
fi

# The archive has what git has, and says which commit it is of.
if git rev-parse --git-dir >/dev/null 2>&1; then
    make BUILD="$WORK/build" dist >"$log" 2>&1 || fail 'make dist' "$log"
    tar tf "$WORK/build/hiss-$version.tar.gz" | sed "s,^hiss-$version/,,; /\/$/d; /^\$/d" | sort >"$WORK/archive"
    { git ls-tree -r --name-only HEAD && echo .commit; } | sort | cmp -s - "$WORK/archive" || fail 'files of the archive' "$WORK/archive"
    mkdir "$WORK/tree" && tar xf "$WORK/build/hiss-$version.tar.gz" -C "$WORK/tree"
    (cd "$WORK/tree/hiss-$version" && tools/build_header "$version") | grep -qF "\"$(git describe --always --abbrev=12)\"" || fail 'commit of the archive'
fi
echo ok
