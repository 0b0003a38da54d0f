# The door: what people type.  Meson and ninja do the work, in build/.

# How long `make storm` lets each storm test rage, in seconds.
STORM_SECONDS ?= 600

# How long `make fuzz` feeds each program of tests/fuzz, in seconds.
FUZZ_SECONDS ?= 60

.PHONY: all demo check storm steps mutants model tsan valgrind fuzz bench curves install uninstall clean help

all:
	@tools/build gcc

demo:
	@tools/setup
	@tools/build gcc
	@build/examples/wordcount

check:
	@tools/setup
	@tools/build gcc
	@tools/run-tests -j 2

storm:
	@tools/setup
	@tools/build gcc
	@PLAIT_STORM_SECONDS=$(STORM_SECONDS) tools/run-tests --suite plain --count kills \
		--timeout $$(($(STORM_SECONDS) + 120)) '*/storm*/*'

# The tests that kill or stop somebody at points of an operation, at each single instruction; of whole starts of processes at each that
# others can notice (tests/harness/kill.h).  Takes an hour.
steps:
	@tools/setup
	@tools/build gcc
	@PLAIT_STEP_ALL=1 tools/run-tests -j 2 --suite plain --timeout 3600 '*/kill_*/*' '*/preempt_*/*' '*/directed_*/*'

# make mutants NAMES='lock repair': only those with one of these in their name.
mutants:
	@tools/setup
	@tools/build gcc
	@tools/mutants $(NAMES)

# make model NAMES='lock': only the searches with one of these in their name.
model:
	@tools/setup packages.txt packages-model.txt
	@tools/model $(NAMES)

# All test programs that they can watch; NAMES as for tools/run-tests.
tsan:
	@tools/setup
	@tools/build tsan
	@tools/run-tests -j 2 --plan tests/sanitizers.toml --suite tsan $(NAMES)

valgrind:
	@tools/setup
	@tools/build gcc
	@tools/run-tests -j 2 --plan tests/sanitizers.toml --suite valgrind $(NAMES)

fuzz:
	@tools/setup
	@tools/build fuzz
	@tools/fuzz $(FUZZ_SECONDS)

# make bench ROWS='queue lock': only the rows that begin so.
bench:
	@tools/setup packages.txt packages-bench.txt
	@tools/build bench
	@tools/bench $(ROWS)

curves:
	@tools/setup packages.txt packages-bench.txt
	@tools/build bench
	@tools/curves $(CURVES)

# Into $(DESTDIR)$(PREFIX); LIBC=musl: the library for programs with musl.
PREFIX ?= /usr/local
export DESTDIR PREFIX LIBC

install:
	@tools/install

uninstall:
	@tools/install uninstall

clean:
	rm -rf build

help:
	@echo 'make         build everything, in build/'
	@echo 'make demo    build, and run an example'
	@echo 'make check   build, and run every test and check'
	@echo 'make storm   the kill storms, for STORM_SECONDS=$(STORM_SECONDS) each'
	@echo 'make steps   the kill tests at every single instruction that matters, also of long operations'
	@echo 'make mutants break the code on purpose, in many ways; the tests have to notice (tests/mutants.toml)'
	@echo 'make model   search the models of models/ exhaustively'
	@echo 'make tsan    the tests under ThreadSanitizer; make valgrind: under memcheck (tests/sanitizers.toml)'
	@echo 'make fuzz    feed broken input to what reads it, for FUZZ_SECONDS=$(FUZZ_SECONDS) each; what it finds lies in build/fuzz'
	@echo 'make bench   measure plait beside its peers into build/bench.tsv; with ROWS="queue lock" only rows that begin so'
	@echo 'make curves  measure how costs grow with length, members and size, into docs/; with CURVES="length" only that one'
	@echo 'make install install the library into $$(DESTDIR)$(PREFIX): PREFIX=..., DESTDIR=..., LIBC=musl; uninstall takes it away'
	@echo 'make clean   remove build/'
	@echo '(all but make itself and clean first install the Debian packages of packages*.txt that they need and that are missing)'
	@echo 'tools/run-tests --help says how to run some of the tests'
