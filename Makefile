# hiss: one non-recursive Makefile. `make help` lists the targets.
#
# Everything built lies under $(BUILD). Objects are rebuilt when a source, a header they include or the flags change.

# ---- settings ---------------------------------------------------------------------------------------------------

# Which MPI library: openmpi, mpich or intel, each with a build folder of its own; none: that of mpicc, in build. tools/deps
# looks for it, unless MPI_CFLAGS and MPI_LIBS say where it is.
MPI     ?=
$(if $(filter-out openmpi mpich intel,$(MPI)),$(error MPI=$(MPI): expected openmpi, mpich or intel))
BUILD   ?= build$(MPI:%=/%)
# Its full name means the same, so that it recompiles nothing.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
PREFIX  ?= /usr/local
LIBDIR  ?= lib
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
# Instruction set of the nodes that will run the program: native is that of this machine.
ARCH ?= native
OPT  ?= -O3 -march=$(ARCH)
# RELEASE=1 compiles the assertions out and hardening in; WERROR=-Werror turns warnings into errors; V=1 shows whole commands.
RELEASE ?=
# FAULTS=1 compiles the fault points of hiss/fault.h in. A build with them, with another MPI library or for another instruction set
# may take the objects that are the same in both, or need not differ, from the build PLAIN.
FAULTS  ?=
PLAIN   ?= $(BUILD)
override PLAIN := $(patsubst $(CURDIR)/%,%,$(PLAIN))
WERROR  ?=
V       ?=

VERSION := 0.1.0
# Of the shared library: another one when programs that were linked before do not work with it any more.
SOVERSION := 0

comma := ,

# ---- flags ------------------------------------------------------------------------------------------------------

# Where the libraries are: pkg-config, or what a module put on the compiler's path (tools/deps knows).
# Expanded once, and only by goals that compile.
with_mpi   := MPI='$(MPI)'$(if $(MPI_CFLAGS), MPI_CFLAGS='$(MPI_CFLAGS)')$(if $(MPI_LIBS), MPI_LIBS='$(MPI_LIBS)')
ask_deps   := CC='$(CC)' $(with_mpi) tools/deps
DEPS_CFLAGS = $(eval DEPS_CFLAGS := $$(shell $(ask_deps) cflags))$(DEPS_CFLAGS)
DEPS_LIBS   = $(eval DEPS_LIBS := $$(shell $(ask_deps) libs))$(DEPS_LIBS)

# What makes bugs harder to exploit, in programs meant for others.
HARDEN_CFLAGS  := $(if $(RELEASE),-fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN_LDFLAGS := $(if $(RELEASE),-pie -Wl$(comma)-z$(comma)relro -Wl$(comma)-z$(comma)now -Wl$(comma)-z$(comma)noexecstack)

WARN := -Wall -Wextra -Wshadow -Wconversion
# What only assertions use is unused without them.
ifneq ($(RELEASE),)
WARN += -Wno-unused -Wno-unused-parameter
endif
# No -ffast-math, no contraction: the bits must not depend on what the compiler finds worth fusing.
# Square roots are one instruction, on vectors too, when they need not set errno; their bits are the same.
ALL_CPPFLAGS = -Iinclude -Isrc/include -Isrc -I$(BUILD)/gen -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE $(if $(RELEASE),-DNDEBUG) $(if $(FAULTS),-DHISS_FAULTS) \
               $(CPPFLAGS)
ALL_CFLAGS   = -std=c11 -g $(OPT) $(HARDEN_CFLAGS) -ffp-contract=off -fno-math-errno -pthread $(WARN) $(WERROR) $(DEPS_CFLAGS) $(CFLAGS)
LIBRARIES    = $(DEPS_LIBS) -ldl -lm $(LDLIBS)
ALL_LDLIBS   = $(HARDEN_LDFLAGS) $(LIBRARIES)

ifeq ($(V),1)
say := @:
do  :=
else
say := @printf '  %-6s %s\n'
do  := @
endif

# ---- files ------------------------------------------------------------------------------------------------------

MODULES  := base tensor assign comm match simulate graph data nn objective experiment train eval scale compare export
LIB_SRC  := $(sort $(filter-out src/comm/simulated.c,$(wildcard $(MODULES:%=src/%/*.c) $(MODULES:%=src/%/*/*.c))))
CLI_SRC  := $(sort $(wildcard src/cli/*.c))
TEST_SRC := $(sort $(wildcard tests/unit/*/test_*.c tests/mpi/test_*.c tests/cli/*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# What programs of others may use, which is installed, and what modules offer one another.
INSTALLED := $(sort $(wildcard include/hiss/*.h))
HEADERS   := $(INSTALLED) $(sort $(wildcard src/include/hiss/*.h))
# What hiss simulate runs in SimGrid: comm and match as they are, for the simulator's MPI.
SMPI_SRC := $(sort $(filter-out src/base/hash.c,$(wildcard src/base/*.c src/assign/*.c src/comm/*.c src/match/*.c src/simulate/*.c \
                                                           src/smpi/*.c)))
SMPICC   ?= smpicc
PLATFORMS := $(sort $(wildcard configs/platforms/*.yaml))

# objects_of SOURCES: those of PLAIN that know no fault points, or no MPI, and no instruction set but the machine's; all others here.
by_arch  = src/tensor/ $(shell grep -rlE '__(AVX|SSE|FMA|F16C)|FP_FAST_FMA|immintrin' src)
differs  = $(if $(FAULTS),hiss/fault.h,comm/comm_impl.h) $(if $(filter-out native,$(ARCH)),$(by_arch))
BORROWED := $(if $(filter-out $(BUILD),$(PLAIN)),$(shell grep -sLF $(addprefix -e ,$(differs)) $(LIB_SRC:%.c=$(PLAIN)/%.d) $(CLI_SRC:%.c=$(PLAIN)/%.d)))
objects_of = $(foreach o,$(1:.c=.o),$(if $(filter $(PLAIN)/$(o:.o=.d),$(BORROWED)),$(PLAIN),$(BUILD))/$(o))
LIB_OBJ := $(call objects_of,$(LIB_SRC))
CLI_OBJ := $(call objects_of,$(CLI_SRC))
TESTS   := $(TEST_SRC:%.c=$(BUILD)/%)
SMPI_OBJ := $(SMPI_SRC:%.c=$(BUILD)/smpi/%.o)
FUZZERS := $(FUZZ_SRC:%.c=$(BUILD)/%)

# ---- build ------------------------------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all lib shared tests simulate help FORCE

all: $(BUILD)/hiss $(BUILD)/libhiss.a $(PLATFORMS:configs/%=$(BUILD)/%) $(if $(shell command -v $(SMPICC)),simulate) ## build the program and the library (default)

simulate: $(BUILD)/hiss-smpi ## build what hiss simulate runs in SimGrid (part of all where SimGrid is installed)

lib: $(BUILD)/libhiss.a ## build the library only

# Only what include/hiss declares can be called in it, and only what that needs is in it.
SHARED_LIB := $(BUILD)/libhiss.so.$(VERSION)
shared: $(BUILD)/gen/public ## build the shared library, which make install then installs, too
	+@$(MAKE) BUILD=$(BUILD)/pic MODULES='base assign comm' CFLAGS='$(CFLAGS) -fPIC -fno-semantic-interposition' lib
	$(say) LINK $(SHARED_LIB)
	$(do)$(CC) -shared $(ALL_CFLAGS) $(LDFLAGS) -Wl,-soname,libhiss.so.$(SOVERSION) -Wl,--version-script=$(BUILD)/gen/public \
		-Wl,--as-needed -Wl,--no-undefined $$(sed -n 's/^    \(hiss_[a-z0-9_]*\);/-u \1/p' $(BUILD)/gen/public) \
		-o $(SHARED_LIB) $(BUILD)/pic/libhiss.a $(filter-out -pie,$(HARDEN_LDFLAGS)) $(LIBRARIES)
	$(do)ln -sf libhiss.so.$(VERSION) $(BUILD)/libhiss.so.$(SOVERSION) && ln -sf libhiss.so.$(SOVERSION) $(BUILD)/libhiss.so

$(BUILD)/gen/public: $(INSTALLED)
	$(do)mkdir -p $(@D) && { echo 'HISS_$(SOVERSION) {'; echo 'global:'; \
		grep -ohE '\bhiss_[a-z0-9_]+\(' $(INSTALLED) | sort -u | sed 's/\(.*\)(/    \1;/'; echo 'local: *;'; echo '};'; } >$@

tests: $(TESTS) $(BUILD)/tests/fuzz/outside ## build the test programs

.PHONY: mpi-tests
mpi-tests: $(filter $(BUILD)/tests/unit/comm/% $(BUILD)/tests/mpi/%,$(TESTS))

$(BUILD)/libhiss.a: $(LIB_OBJ)
	$(say) AR $@
	$(do)rm -f $@ && ar rcs $@ $(LIB_OBJ)

$(BUILD)/hiss: $(CLI_OBJ) $(BUILD)/libhiss.a
	$(say) LINK $@
	$(do)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(CLI_OBJ) $(BUILD)/libhiss.a $(ALL_LDLIBS)

# What a compiler warns of is kept beside what it makes, for check-warnings.
keep_warnings = 2>$@.warned; status=$$?; cat $@.warned >&2; [ -s $@.warned ] || rm -f $@.warned; exit $$status

$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/deps.ok $(BUILD)/gen/hiss_build.h
	$(say) CC $<
	$(do)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $< $(keep_warnings)

# gcc leaves loops in which a comparison chooses scalar where arithmetic may trap.
$(BUILD)/src/tensor/kern_fast.o $(BUILD)/src/tensor/kern_fast_pairs.o: private CFLAGS += -fno-trapping-math

# The instructions of bfloat16, whatever the rest is built for: hiss asks the processor before it uses them.
BF16_CFLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512bf16
$(BUILD)/src/tensor/kern_bf16.o $(BUILD)/src/tensor/kern_bf16_winograd.o: private CFLAGS += \
	$$($(CC) $(BF16_CFLAGS) -E -x c /dev/null >/dev/null 2>&1 && echo '$(BF16_CFLAGS)')

# Small, since SMPI loads a copy for every rank. smpicc's headers are its own, so only libyaml's flags are ours.
SMPI_FLAGS = -Iinclude -Isrc/include -Isrc -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DHISS_SIMULATED -std=gnu11 -O2 $(WARN) $(WERROR) \
             -ffunction-sections -fdata-sections $(shell tools/deps cflags YAML)

$(BUILD)/hiss-smpi: $(SMPI_OBJ)
	$(say) LINK $@
	$(do)$(SMPICC) -Wl,--gc-sections -o $@ $(SMPI_OBJ) $$(tools/deps libs YAML) -lm

# Found beside the program, whatever directory it is started in.
$(BUILD)/platforms/%.yaml: configs/platforms/%.yaml
	$(do)mkdir -p $(@D) && cp $< $@

$(BUILD)/smpi/%.o: %.c $(BUILD)/flags
	$(say) SMPI $<
	$(do)mkdir -p $(@D) && $(SMPICC) $(SMPI_FLAGS) -MMD -MP -c -o $@ $<

$(TESTS): $(BUILD)/tests/%: tests/%.c $(BUILD)/libhiss.a $(BUILD)/flags | $(BUILD)/deps-tests.ok
	$(say) TEST $@
	$(do)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		$(BUILD)/libhiss.a -lcmocka $(ALL_LDLIBS) $(keep_warnings)

# Fuzz targets run the inputs they are given; with FUZZ_ENGINE=-fsanitize=fuzzer they look for new ones.
FUZZ_ENGINE ?=
FUZZ_MAIN    = $(if $(FUZZ_ENGINE),,$(BUILD)/tests/fuzz/replay.o)
$(FUZZERS:%=%.o) $(BUILD)/tests/fuzz/replay.o: CPPFLAGS += -D_GNU_SOURCE
$(FUZZERS): %: %.o $(BUILD)/libhiss.a $(BUILD)/tests/fuzz/replay.o
	$(say) FUZZ $@
	$(do)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(FUZZ_ENGINE) -o $@ $< $(FUZZ_MAIN) $(BUILD)/libhiss.a $(ALL_LDLIBS)

# What tools/fuzz keep asks whether an input does harm to others: the libraries alone, without sanitizers.
$(BUILD)/tests/fuzz/outside: tests/fuzz/outside.c | $(BUILD)/deps.ok
	$(say) FUZZ $@
	$(do)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) -D_GNU_SOURCE -std=c11 -O1 -g $(WARN) $(WERROR) $(DEPS_CFLAGS) -o $@ $< $(DEPS_LIBS)

# The flags of the last build: rewritten, and so newer than every object, when they change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $(ALL_LDLIBS))' | \
		cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $(ALL_LDLIBS))' >$@

# What a run records about the program: rewritten when it changes.
$(BUILD)/gen/hiss_build.h: FORCE
	@mkdir -p $(@D)
	@tools/build_header '$(VERSION)' >$@.$$$$ && { cmp -s $@.$$$$ $@ && rm $@.$$$$ || mv $@.$$$$ $@; }

# The required packages: says which are missing and how to get them, instead of a compiler error.
$(BUILD)/deps.ok: $(BUILD)/flags tools/deps
	@$(ask_deps) check build
	@touch $@

$(BUILD)/deps-tests.ok: $(BUILD)/deps.ok
	@$(ask_deps) check build tests
	@touch $@

help: ## list the targets
	@echo 'Targets:'
	@sed -n 's/^\([a-z][a-z-]*\):.* ## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo 'Settings (make NAME=value):'
	@echo '  MPI=$(or $(MPI),openmpi|mpich|intel)  BUILD=$(BUILD)  PREFIX=$(PREFIX)  DESTDIR=$(DESTDIR)  CC=$(CC)  ARCH=$(ARCH)  OPT=$(OPT)'
	@echo '  RELEASE=1 without assertions, hardened   FAULTS=1 with fault points   WERROR=-Werror   V=1 whole commands   CFLAGS, CPPFLAGS, LDFLAGS, LDLIBS appended'

# ---- packages ---------------------------------------------------------------------------------------------------

.PHONY: deps
deps: ## install what is missing (root and apt), or say how to get it
	@$(ask_deps) install build tests demo

# ---- tests ------------------------------------------------------------------------------------------------------

.PHONY: check check-fast check-mpich check-mpis check-bits check-slurm check-machines check-fresh soak check-deps check-symbols check-format check-warnings asan valgrind

# + hands make's job slots on; but it also runs a line under make -n, so only lines that say $(MAKE) have it always.
hand_on   := $(if $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),,+)
run_tests = BUILD='$(BUILD)' CC='$(CC)' $(with_mpi) tools/run_tests

check: ## everything: packages, build, style, warnings, tests, sanitizers (this is what CI runs)
	@$(ask_deps) install build tests
	$(hand_on)@$(run_tests)

check-fast: ## build, module table, names, unit and MPI tests
	$(hand_on)@$(run_tests) 'make all tests' 'make check-deps' 'make check-symbols' 'unit/*' 'mpi/*'

check-mpich: all ## what MPICH makes different: build, MPI tests on 1 and 2 ranks, sums on 3 and 5 (part of check; skipped without MPICH)
	$(hand_on)@BUILD='$(BUILD)' CC='$(CC)' tools/check_mpich

MPIS ?= $(BUILD)/mpis/python
check-mpis: all ## the same bits under Open MPI 5, MPICH 5 and Intel MPI of PyPI, in virtual environments below MPIS=DIR (not part of check)
	$(hand_on)@BUILD='$(BUILD)' CC='$(CC)' tools/check_mpis '$(MPIS)'

check-bits: all ## train on several numbers of ranks and threads and compare the bits
	@HISS='$(BUILD)/hiss' tools/check_bits

check-slurm: all ## run jobs/ on a SLURM cluster inside this machine (root; skipped without SLURM)
	$(hand_on)@$(run_tests) 'slurm/*'

check-machines: all tests ## the short tests as other processors, systems and users see them
	$(hand_on)@BUILD='$(BUILD)' CC='$(CC)' tools/check_machines

check-fresh: ## make demo and make check in a new Debian, outside the tree (root and debootstrap; an hour)
	@tools/check_fresh

SECONDS ?= 3600
soak: all ## train under SLURM for SECONDS=3600 while jobs, daemons and nodes die, and compare the bits (root)
	@env -u SECONDS HISS='$(BUILD)/hiss' tests/slurm/soak '$(SECONDS)' '$(BUILD)/soak'

check-deps: $(LIB_OBJ) $(CLI_OBJ) ## verify who includes whom, and that no three files call each other in a circle
	@tools/check_deps
	@tools/check_circles '$(BUILD)'

check-format: ## verify the layout of the sources with clang-format
	@if command -v clang-format >/dev/null; then \
		clang-format --dry-run --Werror $(LIB_SRC) $(CLI_SRC) $(TEST_SRC) $(wildcard tests/fuzz/*.c) $(INSTALLED) $$(find src tests -name '*.h'); \
	else echo 'clang-format: not found, layout not verified'; fi

check-symbols: lib ## verify the names of the library: public hiss_..., private MODULE_..., none and no type twice
	@tools/check_symbols '$(BUILD)'

# Every source, every header on its own and all headers together, without warnings: the compiler of the build, of which that has
# kept the warnings; without assertions; and clang, whose warnings do not depend on what it optimises, so that the objects are
# those that asan wants.
check-warnings: all tests ## compile everything with gcc and clang, warnings are errors
	@kept=$$(find '$(BUILD)/src' '$(BUILD)/tests' -name '*.warned'); [ -z "$$kept" ] || { cat $$kept >&2; exit 1; }
	+@$(MAKE) WERROR=-Werror BUILD=$(BUILD)/warn-headers headers
	+@if command -v clang >/dev/null; then $(with_sanitizers) headers objects; \
	else echo 'clang: not found, its warnings not verified'; fi
	+@$(MAKE) BUILD=$(BUILD)/warn-release OPT=-O2 WERROR=-Werror RELEASE=1 all
	@readelf -Wdl $(BUILD)/warn-release/hiss | awk '/BIND_NOW|FLAGS.*NOW/ { now = 1 } /GNU_RELRO/ { relro = 1 } / PIE/ { pie = 1 } \
		END { if (!now || !relro || !pie) { print "a release build is not hardened"; exit 1 } }' >&2
	@! nm $(BUILD)/warn-release/hiss | grep -w hiss_fault

.PHONY: headers objects
headers: $(BUILD)/flags
	@for h in $(HEADERS); do \
		$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fsyntax-only -x c $$h || exit 1; done
	@printf '#include "%s"\n' $(patsubst %,hiss/%,$(notdir $(HEADERS))) | $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fsyntax-only -x c -

objects: $(LIB_OBJ) $(CLI_OBJ) $(TEST_SRC:%.c=$(BUILD)/%.o) $(FUZZERS:%=%.o) $(BUILD)/tests/fuzz/replay.o $(BUILD)/tests/fuzz/outside

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
with_sanitizers = $(MAKE) BUILD=$(BUILD)/asan $(if $(shell command -v clang),CC=clang WERROR=-Werror) RELEASE= \
	LDFLAGS='$(SANITIZE)' OPT='-g1 -O1 -march=$(ARCH) $(SANITIZE)'
asan: ## unit tests under the address and undefined behaviour sanitizers
	+@$(with_sanitizers) tests
	$(hand_on)@BUILD='$(BUILD)/asan' CC='$(CC)' tools/run_tests 'unit/*'

# Sanitizers of clang; recovery is off so that undefined behaviour ends a target, too.
.PHONY: fuzz fuzz-replay fuzzers
fuzzers: $(FUZZERS) $(BUILD)/tests/fuzz/outside

fuzz: ## let libFuzzer look for inputs that break the readers: FUZZ_SECONDS=60 each, FUZZ_TARGETS="dataset checkpoint" only (clang)
	$(hand_on)@tools/fuzz build '$(BUILD)/fuzz'
	@tools/fuzz run '$(BUILD)/fuzz' $(FUZZ_SECONDS) $(FUZZ_TARGETS)

fuzz-replay: ## the kept inputs of tests/fuzz/corpus under the sanitizers
	+@$(with_sanitizers) fuzzers
	@tools/fuzz replay '$(BUILD)/asan'

FUZZ_SECONDS ?= 60

valgrind: ## leak check of every command on small data
	+@$(MAKE) BUILD=$(BUILD)/valgrind OPT=-O1 all
	@HISS='$(BUILD)/valgrind/hiss' tools/leak_check

.PHONY: faults campaign
faults: all ## build the program with fault points, under BUILD/faults
	+@$(MAKE) FAULTS=1 BUILD=$(BUILD)/faults PLAIN=$(BUILD) $(BUILD)/faults/hiss $(BUILD)/faults/tests/cli/train_method

kills ?= 200
seed  ?= 1
campaign: faults ## let everything fail once, then kill runs 200 times, and compare the bits (half an hour; docs/campaign.md)
	@HISS='$(BUILD)/faults/hiss' tests/campaign/faults
	@HISS='$(BUILD)/faults/hiss' tests/campaign/kill $(kills) $(seed)

.PHONY: oracle
oracle: all $(BUILD)/tests/cli/detect ## compare training steps, rescaled weights and boxes found with PyTorch and numpy (for developers; not part of check)
	@. tools/mpi_env && tools/oracle '$(BUILD)/hiss' && tools/oracle_rescale '$(BUILD)/hiss'
	@tools/oracle_detection '$(BUILD)/tests/cli/detect'

.PHONY: hdf5-peers
hdf5-peers: all ## exchange HDF5 files with h5py, PyTables, netCDF4, pyfive (for developers; not part of check; needs PyPI)
	@. tools/mpi_env && tools/hdf5_peers '$(BUILD)/hiss'

.PHONY: export-peers
export-peers: all $(BUILD)/tests/cli/encode ## compare what hiss export writes with ONNX Runtime, PyTorch, safetensors, numpy (for developers; not part of check; needs PyPI)
	@. tools/mpi_env && tools/export_peers '$(BUILD)/hiss'

.PHONY: events-peers
events-peers: all ## read what hiss export writes of logs by tensorboard and mlperf-logging (for developers; not part of check; needs both)
	@. tools/mpi_env && tools/oracle_events '$(BUILD)/hiss'

.PHONY: similarity-peers
similarity-peers: $(BUILD)/tests/cli/similarity ## compare PSNR and SSIM with scikit-image (for developers; not part of check; needs PyPI)
	@tools/similarity_peers '$(BUILD)/tests/cli/similarity'

.PHONY: scale-peers
scale-peers: all ## let Extra-P, ReFrame and JUBE read and run scaling studies (for developers; not part of check; needs PyPI)
	@tools/scale_peers '$(BUILD)/hiss'

# ---- speed -----------------------------------------------------------------------------------------------------------

.PHONY: bench
bench: all ## measure this machine, and hiss as a share of what it can do: alone, then on two ranks
	@$(BUILD)/hiss bench all
	@bash -c '. tools/mpi_env 2 && exec mpirun -n 2 $(BUILD)/hiss bench all'
	@for ranks in 1 2; do \
		echo; echo "== lenet-bn of width 32, batch 256, ranks: $$ranks"; \
		bash -c ". tools/mpi_env $$ranks && exec mpirun -n $$ranks $(BUILD)/hiss bench step configs/nat-fashion.yaml --synthetic \
			--set network.width=32 --set train.lanes=8 --set assign.scope=batch"; \
		echo; echo "== alexnet-bn, 32 images per lane, ranks: $$ranks"; \
		bash -c ". tools/mpi_env $$ranks && exec mpirun -n $$ranks $(BUILD)/hiss bench step configs/nat-alexnet.yaml --synthetic \
			--set train.lanes=$$ranks --seconds 10"; \
	done

# ---- the demo ---------------------------------------------------------------------------------------------------

.PHONY: demo
demo: ## train on Fashion-MNIST with two ranks, evaluate, and draw pictures
	$(hand_on)@BUILD='$(BUILD)' tools/demo

# ---- installation -----------------------------------------------------------------------------------------------

.PHONY: install uninstall clean

bindir     = $(DESTDIR)$(PREFIX)/bin
libdir     = $(DESTDIR)$(PREFIX)/$(LIBDIR)
includedir = $(DESTDIR)$(PREFIX)/include/hiss
libexecdir = $(DESTDIR)$(PREFIX)/libexec/hiss
datadir    = $(DESTDIR)$(PREFIX)/share/hiss
docdir     = $(DESTDIR)$(PREFIX)/share/doc/hiss
mandir     = $(DESTDIR)$(PREFIX)/share/man/man1
cmakedir   = $(libdir)/cmake/hiss
# Where shells look for what completes the words of a command.
COMPLETION := share/bash-completion/completions/hiss share/zsh/site-functions/_hiss share/fish/vendor_completions.d/hiss.fish
# Where they come to lie below datadir and docdir; platforms are looked for beside configs.
SHARED    := $(filter-out configs/platforms/%,$(wildcard configs/*.yaml configs/*/*.yaml)) $(wildcard jobs/*.* jobs/*/*)
DOCUMENTS := README.md CHANGES.md $(wildcard docs/*.md docs/*/*)

define hiss_pc
prefix=$${pcfiledir}/../$(shell echo '$(LIBDIR)' | sed 's,[^/][^/]*,..,g')
libdir=$${prefix}/$(LIBDIR)
includedir=$${prefix}/include

Name: hiss
Description: Representations from unlabelled data: assignment solvers and reproducible reductions over MPI
Version: $(VERSION)
Cflags: -I$${includedir}
Libs: -L$${libdir} -lhiss $(if $(wildcard $(SHARED_LIB)),,$(LIBRARIES)) -pthread
Libs.private: $(if $(wildcard $(SHARED_LIB)),$(LIBRARIES))
endef
export hiss_pc

# What the program says of itself, as man pages and for the shells.
$(BUILD)/man/hiss.1: $(BUILD)/hiss tools/man_pages
	$(do)rm -rf $(@D) && tools/man_pages $< $(VERSION) $(@D)

$(COMPLETION:%=$(BUILD)/%): $(BUILD)/share/%: $(BUILD)/hiss tools/completion
	$(do)mkdir -p $(@D) && tools/completion $(firstword $(subst -, ,$(firstword $(subst /, ,$*)))) $< >$@

install: all $(BUILD)/man/hiss.1 $(COMPLETION:%=$(BUILD)/%) ## install the program, the library, its headers, hiss.pc, man pages, completion, configs, jobs, docs and what hiss simulate needs under PREFIX
	install -d '$(bindir)' '$(libdir)/pkgconfig' '$(includedir)' '$(libexecdir)' '$(datadir)/platforms'
	install -m 755 $(BUILD)/hiss '$(bindir)/hiss'
	install -m 644 $(BUILD)/libhiss.a '$(libdir)/libhiss.a'
	install -m 644 $(INSTALLED) '$(includedir)'
	@printf '%s\n' "$$hiss_pc" >'$(libdir)/pkgconfig/hiss.pc'
	[ ! -e $(SHARED_LIB) ] || { install -m 644 $(SHARED_LIB) '$(libdir)' && cp -P $(BUILD)/libhiss.so $(BUILD)/libhiss.so.$(SOVERSION) '$(libdir)'; }
	install -d '$(cmakedir)' '$(mandir)' && install -m 644 $(BUILD)/man/*.1 '$(mandir)'
	for f in hissConfig hissConfigVersion; do sed 's/@VERSION@/$(VERSION)/' tools/cmake/$$f.cmake.in >'$(cmakedir)'/$$f.cmake || exit 1; done
	for f in $(COMPLETION); do install -D -m 644 "$(BUILD)/$$f" "$(DESTDIR)$(PREFIX)/$$f" || exit 1; done
	install -m 644 $(PLATFORMS) '$(datadir)/platforms'
	[ ! -e $(BUILD)/hiss-smpi ] || install -m 755 $(BUILD)/hiss-smpi '$(libexecdir)/hiss-smpi'
	for f in $(SHARED); do install -D "$$f" "$(datadir)/$$f" && sed -i -e 's,build/hiss,$(PREFIX)/bin/hiss,g' \
		-e 's,\(^\|[^/[:alnum:]]\)\(\(configs\|jobs\)/[a-z]\),\1$(PREFIX)/share/hiss/\2,g' "$(datadir)/$$f" || exit 1; done
	for f in $(filter-out %.sh %.sbatch,$(SHARED)); do chmod 644 "$(datadir)/$$f" || exit 1; done
	for f in $(DOCUMENTS); do install -D -m 644 "$$f" "$(docdir)/$$f" || exit 1; done

# ---- packages ---------------------------------------------------------------------------------------------------

.PHONY: dist deb check-packages
DIST := $(BUILD)/hiss-$(VERSION).tar.gz
dist: ## write BUILD/hiss-VERSION.tar.gz, the sources as committed
	@mkdir -p $(BUILD)
	git archive --format=tar.gz --prefix=hiss-$(VERSION)/ --add-virtual-file=hiss-$(VERSION)/.commit:"$$(git describe --always --abbrev=12)" \
		-o $(DIST) HEAD

deb: dist ## build Debian packages in BUILD/deb, for any amd64; HISS_ARCH=native for machines like this one (debhelper)
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb && tar xf $(DIST) -C $(BUILD)/deb
	cp -r $(BUILD)/deb/hiss-$(VERSION)/packages/debian $(BUILD)/deb/hiss-$(VERSION)/
	$(hand_on)cd $(BUILD)/deb/hiss-$(VERSION) && env -u BUILD -u MAKEFLAGS -u MFLAGS dpkg-buildpackage -us -uc -b

check-packages: ## install the Debian packages in a new Debian, and try what they bring (root, debootstrap, debhelper)
	@tools/check_packages

uninstall: ## remove what install installed
	rm -f '$(libdir)'/libhiss.so* '$(mandir)'/hiss.1 '$(mandir)'/hiss-*.1 '$(cmakedir)'/hissConfig*.cmake $(COMPLETION:%='$(DESTDIR)$(PREFIX)/%')
	rm -f '$(bindir)/hiss' '$(libdir)/libhiss.a' '$(libdir)/pkgconfig/hiss.pc' $(INSTALLED:include/hiss/%='$(includedir)/%')
	rm -f '$(libexecdir)/hiss-smpi' $(PLATFORMS:configs/platforms/%='$(datadir)/platforms/%')
	rm -f $(SHARED:%='$(datadir)/%') $(DOCUMENTS:%='$(docdir)/%')
	for d in '$(includedir)' '$(libexecdir)' '$(datadir)' '$(docdir)' '$(cmakedir)'; do \
		[ ! -d "$$d" ] || find "$$d" -depth -type d -exec rmdir --ignore-fail-on-non-empty {} ';'; done

clean: ## remove the build directory
	rm -rf '$(BUILD)'

-include $(LIB_OBJ:.o=.d) $(SMPI_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TESTS:%=%.d) $(FUZZERS:%=%.d) $(BUILD)/tests/fuzz/replay.d
