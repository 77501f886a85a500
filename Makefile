# Two targets do all the set-up on a fresh machine: `make demo` and `make test`. They need Python 3.11 or later, make and pip.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
RUN := $(BIN)/python

.PHONY: demo test test-slow test-slow-first test-slow-second test-all test-py test-oldest test-frameworks test-sim test-ptx test-gpu test-scale bench golden mutate tables docs slides test-docs figures lint data clean

.venv/ready: setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "pysnn needs Python 3.11 or later: none found (make PYTHON=/path/to/python)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[full,test,lint]'
	@touch $@

demo: .venv/ready  ## train on the shipped sample, evaluate, draw
	$(BIN)/pysnn demo

# Written down once, compiled Python need not be compiled anew by each of the hundreds of processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

# $(call both,OPTIONS): two processes of pytest, one for each core; the folders of the second take about half of the time.
SECOND := tests/ops tests/verify tests/estimators tests/evaluation
define both
@mkdir -p runs; echo "== two processes: first all but the folders $(notdir $(SECOND)), whose output follows"; \
$(RUN) -m pytest -p no:cacheprovider $(1) $(SECOND) > runs/test-second.log 2>&1 & second=$$!; \
$(RUN) -m pytest $(1) $(SECOND:%=--ignore=%); code=$$?; \
wait $$second || code=1; cat runs/test-second.log; exit $$code
endef

test: .venv/ready  ## the default tests: no framework, no download
	$(call both,)

SLOW_SECOND := tests/ops tests/verify tests/learning tests/exercises tests/scale tests/estimators
SLOW := -m "(slow or data) and not frameworks and not cuda and not ptx and not docs"

test-slow: .venv/ready  ## slow tests and tests on full data sets
	$(call both,$(SLOW))

test-slow-first test-slow-second: .venv/ready  ## one half of them, for one core
	$(RUN) -m pytest -p no:cacheprovider $(SLOW) $(if $(findstring first,$@),$(SLOW_SECOND:%=--ignore=%),$(SLOW_SECOND))

data: .venv/ready  ## fetch MNIST, Fashion-MNIST and CIFAR-10
	$(BIN)/pysnn data fetch mnist
	$(BIN)/pysnn data fetch fashion-mnist
	$(BIN)/pysnn data fetch cifar10

test-all: test test-slow  ## both

test-py: ## every Python from 3.11 that is here: NumPy alone first, then everything
	@for v in 3.11 3.12 3.13; do p=$$(command -v python$$v) || { echo "python$$v: not here"; continue; }; \
	  $$p -c '' 2>/dev/null || { echo "python$$v: not here"; continue; }; echo "== python$$v"; \
	  rm -rf .venv-py && $$p -m venv .venv-py && .venv-py/bin/pip install --quiet . && \
	  (cd /tmp && $(CURDIR)/.venv-py/bin/pysnn train temporal --data xor --epochs 20 --quiet --no-test --out $(CURDIR)/runs/numpy-alone.npz) && \
	  .venv-py/bin/pip install --quiet '.[full,test,lint]' && .venv-py/bin/python -m pytest || exit 1; done; rm -rf .venv-py

# The oldest version of every dependency that setup.cfg allows; the newest are in .venv. The warnings are theirs about each other.
.venv-oldest/ready: setup.cfg
	$(PYTHON) -m venv .venv-oldest
	sed -n 's/^    \([A-Za-z0-9_-]*\)>=\([0-9.]*\)$$/\1==\2/p' setup.cfg | sort -u > .venv-oldest/constraints.txt
	.venv-oldest/bin/pip install --quiet --editable '.[full,test]' --constraint .venv-oldest/constraints.txt
	@touch $@

test-oldest: .venv-oldest/ready  ## with the oldest dependencies: what touches them
	.venv-oldest/bin/python -m pytest -p no:cacheprovider -W ignore::DeprecationWarning $(OLDEST)

OLDEST := tests/ops/test_jit.py tests/ops/test_blas.py tests/plots tests/learning/test_training.py tests/learning/test_edges.py tests/estimators tests/datasets tests/cli/test_cli.py

# SpikingJelly and Norse name torchvision or torchaudio as dependencies, and with them another torch, and Sinabs a driver of chips: without
# dependencies, but for what they import.
.venv-frameworks/ready: setup.cfg Makefile
	$(PYTHON) -m venv .venv-frameworks
	.venv-frameworks/bin/pip install --quiet --editable '.[full,test]' torch==2.13.0
	.venv-frameworks/bin/pip install --quiet --no-deps spikingjelly==2.0.0 snntorch==1.0.0 loguru==0.7.3
	.venv-frameworks/bin/pip install --quiet --no-deps norse==1.1.0 nir==1.0.8 nirtorch==2.6 h5py==3.16.0 mnist1d==0.0.2.post1 exact-event-adjoint==0.2.0 exact-snn-nn==3.2.3
	.venv-frameworks/bin/pip install --quiet --no-deps sinabs==3.1.3 pbr==7.1.3 rockpool==3.1.0
	.venv-frameworks/bin/python -c 'import snntorch, spikingjelly.activation_based.neuron, norse.torch, exact_snn, exact_event_adjoint'
	.venv-frameworks/bin/python -c 'import sinabs.layers, rockpool.nn.modules'
	@touch $@

# JAX has an environment of its own: what it pulls in is as large as PyTorch, and neither needs the other.
.venv-jax/ready: setup.cfg Makefile
	$(PYTHON) -m venv .venv-jax
	.venv-jax/bin/pip install --quiet --editable . pytest jax==0.10.2 spyx==1.0.0 jaxsnn==0.3.0
	.venv-jax/bin/python -c 'import spyx.nn, jaxsnn.discrete.functional.threshold'
	@touch $@

.venv-cuda/ready: setup.cfg Makefile
	$(PYTHON) -m venv .venv-cuda
	.venv-cuda/bin/pip install --quiet --editable '.[full,test]' 'numba-cuda>=0.30' 'cuda-toolkit[nvvm]==13.*' 'nvidia-cuda-nvrtc==13.*' 'nvidia-cuda-nvcc==13.*'
	@touch $@

test-sim: .venv-cuda/ready  ## the CUDA kernels against the reference, in the simulator: no GPU needed
	NUMBA_ENABLE_CUDASIM=1 .venv-cuda/bin/python -m pytest -m cuda

test-ptx: .venv-cuda/ready  ## every CUDA kernel compiles for 8.0 and 9.0 and spills nothing: no GPU needed
	.venv-cuda/bin/python -m pytest -m ptx
	.venv-cuda/bin/python -m pytest tests/cuda/test_absent.py -m "not cuda"

test-gpu: .venv-cuda/ready  ## the same tests as test-sim on a GPU; without one they are skipped, with the reason
	.venv-cuda/bin/python -m pytest -m cuda -rs
	.venv-cuda/bin/python benchmarks/cuda.py || .venv-cuda/bin/python -c 'from pysnn.cuda import _target; raise SystemExit(_target.available())'

# PyTorch's small CPU build, where the index offers both: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test-frameworks
test-frameworks: .venv-frameworks/ready .venv-jax/ready  ## against PyTorch, SpikingJelly, snnTorch, Norse, spyx and others, in two environments
	.venv-frameworks/bin/python -m pytest -m frameworks
	.venv-jax/bin/python -m pytest -m frameworks $(JAX)

JAX := tests/verify/test_findings.py tests/frameworks/test_conformance.py tests/frameworks/test_blackbox_jax.py -k "spyx or jaxsnn or blackbox_jax"

# The MPI itself comes from the system: apt-get install openmpi-bin libopenmpi-dev
.venv-scale/ready: setup.cfg Makefile
	$(PYTHON) -m venv .venv-scale
	.venv-scale/bin/pip install --quiet --editable '.[full,test,mpi,sweep]'
	.venv-scale/bin/python -c 'from mpi4py import MPI; print(MPI.Get_library_version().splitlines()[0])'
	@touch $@

test-scale: .venv-scale/ready  ## one training in many processes, sweeps by Optuna and on a Dask cluster; needs mpirun
	.venv-scale/bin/python -m pytest -p no:cacheprovider -m "slow or not slow" $(SCALE)

SCALE := tests/scale/test_mpirun.py tests/scale/test_mpi_page.py tests/scale/test_dask.py tests/scale/test_optuna.py tests/scale/test_sweep_page.py tests/tasks/test_experiments.py

figures: .venv/ready  ## draw the lecture figures of docs/figures anew
	$(RUN) docs/figures/all.py

bench: .venv-frameworks/ready .venv-jax/ready  ## timings against PyTorch, SpikingJelly, snnTorch, jaxsnn; close everything else first
	.venv-frameworks/bin/python benchmarks/temporal.py --json docs/results/benchmark-temporal.json
	.venv-frameworks/bin/python benchmarks/rate.py --json docs/results/benchmark-rate.json
	.venv-frameworks/bin/python benchmarks/deep.py --json docs/results/benchmark-deep.json
	.venv-frameworks/bin/python benchmarks/time.py --json docs/results/benchmark-time.json
	.venv-frameworks/bin/python benchmarks/event_prop.py --json docs/results/benchmark-event-prop.json
	.venv-frameworks/bin/python benchmarks/memory.py --json docs/results/benchmark-memory.json

golden: .venv/ready  ## rebuild the golden vectors from the oracles; the arrays come out the same
	$(RUN) -c "from pysnn.verify import golden; print(golden.rebuild(), 'cases')"

SEED ?= 2
mutate: .venv/ready  ## do the tests notice small wrong changes? 600 of them, drawn by seed; a fresh sample: make mutate SEED=3
	$(RUN) -m tools.mutation.mutate --n 600 --seed $(SEED) --jobs 2
	$(RUN) -m tools.mutation.mutate --n 600 --seed $(SEED) --report

tables: .venv/ready  ## rebuild the tables of docs/results.md and README.md from the records
	$(RUN) docs/results/tables.py
	$(RUN) docs/_ext/benchmarks.py

.venv-docs/ready: setup.cfg
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --editable '.[full,test,docs]'
	@touch $@

docs: .venv-docs/ready  ## build the site: docs/_build/html/index.html; npm is needed once, for the formulas
	.venv-docs/bin/python -m sphinx -E -W --keep-going -b html docs docs/_build/html
	@echo "== done: open docs/_build/html/index.html"

slides: .venv-docs/ready  ## the decks of docs/teach/slides as HTML, PDF and PPTX: slides/; PDF and PPTX need Chromium
	.venv-docs/bin/python docs/_ext/slides.py slides

test-docs: docs  ## the site in a browser, the notebooks, the interactive pages; needs Chromium and Firefox
	PYSNN_SITE=docs/_build/html .venv-docs/bin/python -m pytest -m docs

lint: .venv/ready  ## style, docstrings, import contracts, tag chain
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(git ls-files 'pysnn/*.py' | grep -v -e '/_' -e kernels/ -e cuda/ -e oracle/ -e /cli -e datasets/cache -e datasets/formats -e datasets/sources)    # the public modules
	$(RUN) -m pytest tests/house/test_tags.py

clean:
	rm -rf .venv .venv-py .venv-oldest .venv-frameworks .venv-jax .venv-cuda .venv-mpi .venv-docs docs/_build docs/gallery slides build dist *.egg-info runs figures
