# Every command of the project; `make help` lists them. The work is done by `tb/flow`, in an environment of its
# own under sim_build/venv that is made when it is missing or when pyproject.toml has changed.
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
ENVIRONMENT := sim_build/venv
STAMP := $(ENVIRONMENT)/.complete
COMMANDS := sim test regress waves oracle guest bench bugs mutants legal hostile fuzz selfplay lint
# A stamp whose interpreter has gone is no stamp.
RENEW := $(if $(wildcard $(ENVIRONMENT)/bin/python),,renew)

# Values given on the command line reach the command through the environment: make puts them there itself.
.PHONY: help clean renew $(COMMANDS)

help:
	@sed -n 's/^#> \{0,1\}//p' Makefile

$(COMMANDS): $(STAMP)
	@$(ENVIRONMENT)/bin/python -m tb.flow $@

$(STAMP): pyproject.toml $(RENEW)
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is missing: install Python 3.11 or newer (Debian, Ubuntu: apt install python3 python3-venv)." >&2; \
	  exit 1; }
	@$(PYTHON) tb/flow/bootstrap.py $(ENVIRONMENT)

clean:
	@rm -rf sim_build

#> make sim       the main job: enumerate, attach, read a disk image through the ring, write, reset; all of it scored
#>                  TEST=name,pattern*,testpoint DEVICE= CONFIG= SEED=n|random DISK=image BYTES=n[k|m|g]
#>                  VERDICTS=n HOSTILE=kind WAVES=1 JOBS=n
#>                  DUT=dut.toml: another function than the project's own (also test, regress, waves, bench)
#> make test      every test: models, guest, tools and the simulations
#>                  SEED= JOBS=
#> make regress   every simulation test on every configuration of the plan, times SEEDS seeds
#>                  SEEDS=n JOBS=n SEED=first TEST= DEVICE= CONFIG=
#> make waves     one test with a dump and a GTKWave save file
#>                  TEST= SEED= CONFIG= DISK= BYTES=
#> make oracle    the golden model against recordings of QEMU
#>                  TRACES=folder|file PROFILE=name|file; against a running QEMU: LIVE=1 SEEDS=n SEED=first DEVICE=
#> make guest     a real guest boots from the RTL
#>                  GUEST=linux|seabios|uefi INTR=function|qemu|intx TARGET=rtl|model SEED= WAVES=1 COMPARE=0
#>                  KERNEL=trixie|trixie-backports|bookworm MACHINE=pc|q35 SMP=n BUG=
#> make bugs      plants faults into copies of the RTL and sees each one caught
#>                  BUG= JOBS= SEED=
#> make legal     makes copies of the RTL do what other right functions do, and sees none of them accused
#>                  VARIANT= JOBS= SEED=
#> make hostile   functions that misbehave on purpose: each run ends by itself and names what was done
#>                  KIND=kind JOBS= SEED=
#> make fuzz      random guests, hosts and disks evolve on the RTL towards states that were never reached
#>                  HOURS=n|forever GENOMES=n SEED= CONFIG= DUT= JOBS=n CORPUS=folder BUG=; one again: REPLAY=file WAVES=1
#> make mutants   small changes of the RTL, each of which some test must notice
#>                  N=n SEED= FILE=part of a path TEST= CONFIG= JOBS= MINUTES= PAIRS=1 SEU=1; one again: MUTANT=name
#> make selfplay  the judge judges itself: the golden model as the function, with every legal choice; no verdict allowed
#>                  EVENTS=n SEED= JOBS=n; LIES=1: one rule broken in each bout, each to be told; LIE=name;
#>                  CHOICES=name,+name|all STEPS=0-3,7: what a failure prints
#> make bench     performance figures
#> make lint      the linters for Python and SystemVerilog
#> make clean     removes everything generated (sim_build/)
