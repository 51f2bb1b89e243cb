# hiss: one non-recursive Makefile. `make help` lists the targets.
BUILD ?= build
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
ARCH ?= native
OPT ?= -O3 -march=$(ARCH)
WARN := -Wall -Wextra -Wshadow -Wconversion
PKGS := ompi-c yaml-0.1 libpng libjpeg zlib libcrypto
CPPFLAGS += -Iinclude -Isrc -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE
CFLAGS += -std=c11 -g $(OPT) $(WARN) -pthread $(shell pkg-config --cflags ompi-c hdf5 openblas yaml-0.1 libpng libcrypto 2>/dev/null)
LDLIBS += $(shell pkg-config --libs ompi-c hdf5 openblas yaml-0.1 libpng libjpeg zlib libcrypto 2>/dev/null) -ldl -lm
MODULES := base tensor graph nn data assign dist objective train eval cli

LIB_SRC := $(filter-out src/cli/%,$(wildcard $(MODULES:%=src/%/*.c) src/objective/*/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/mpi/test_*.c))

all: $(BUILD)/hiss

$(BUILD)/libhiss.a: $(LIB_OBJ)
	@rm -f $@
	@echo "  AR   $@"; ar rcs $@ $^

$(BUILD)/hiss: $(CLI_OBJ) $(BUILD)/libhiss.a
	@echo "  LD   $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: tests/%.c $(BUILD)/libhiss.a
	@mkdir -p $(@D)
	@echo "  TEST $@"; $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libhiss.a -lcmocka $(LDLIBS)

tests: $(TESTS)

clean:
	rm -rf $(BUILD)

.PHONY: all tests clean
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TESTS:%=%.d)
