# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# One tested version; pyproject.toml has the range, and `nox -s ranges` tries its ends.
TORCH := torch==2.13.0
STAMP := $(VENV)/.installed
PEERS := build/peers
# Only an editable install has this file: `pip install .` puts a copy of the package in its place.
EDITABLE := $(wildcard $(VENV)/lib/python3*/site-packages/_editable_skbc_pi_bench.py)
NATIVE := $(shell find native -type f) CMakeLists.txt pyproject.toml

# The suite starts hundreds of processes, which would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-quick fuzz native-test bench bench-peers proof lint docs clean FORCE

setup: $(STAMP)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Without build isolation, so that a changed kernel is compiled and not all of them.
$(STAMP): $(NATIVE) $(if $(EDITABLE),,FORCE) | $(BIN)/python
	@echo "setting up $(VENV): dependencies and the native code, a few minutes the first time"
	$(PIP) install scikit-build-core pybind11 ninja
	PATH=$(abspath $(BIN)):$$PATH $(PIP) install --no-build-isolation $(TORCH) --editable ".[torch,test]"
	@touch $@

demo: $(STAMP)
	@mkdir -p demo
	$(BIN)/pi-bench export --recipe resnet18-cifar100-12288 --output demo/model.pt
	$(BIN)/pi-bench latency demo/model.pt

# Three processes on two cores, because some tests wait; each takes whole files, in the order of tests/conftest.py.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

# The 25 slowest tests are named at the end.
test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) --durations=25

# Without what starts processes, trains, draws networks, goes through everything or is slow: in a minute.
# The 10 slowest tests are named at the end: one above 0.2 s is made cheaper, or marked slow.
# Files with the most tests begin, because none of these tests is long.
test-quick: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist loadfile --durations=10 \
	  -m "not process and not training and not law and not exhaustive and not slow"

# Random networks, thousands of them: tests/laws.
fuzz: $(STAMP)
	PI_BENCH_FUZZ=20 $(BIN)/python -m pytest --timeout 0 tests/laws

native-test:
	cmake --preset release
	cmake --build --preset release --parallel 2
	ctest --preset release

bench: $(STAMP)
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-autosave --benchmark-max-time=0.3 \
	  --benchmark-columns=median,iqr,rounds --benchmark-quiet
	$(BIN)/python -m benchmarks.report

# Every network of docs/networks.md, measured: writes its table.
proof: $(STAMP)
	$(BIN)/python -m benchmarks.proof

# Other systems on the same network, each in an environment of its own.
bench-peers: $(STAMP) $(PEERS)/spu/.installed $(PEERS)/crypten/.installed
	$(BIN)/python -m benchmarks.peers.compare $(PEERS)

$(PEERS)/%/.installed: benchmarks/peers/%.txt
	$(PYTHON) -m venv $(PEERS)/$*
	$(PEERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	test ! -f benchmarks/peers/$*-no-deps.txt || $(PEERS)/$*/bin/python -m pip install --quiet \
	  --disable-pip-version-check --no-deps -r benchmarks/peers/$*-no-deps.txt
	@touch $@

# The checks of noxfile.py: format, style, spelling, layers and types, then C++ builds with sanitizers,
# clang-tidy and the wheel, which take minutes. A few of them: make lint SESSIONS="lint layers types".
lint: $(BIN)/python
	$(PIP) install "nox>=2024.4.15"
	$(BIN)/nox $(if $(SESSIONS),-s $(SESSIONS))

# The documents as a site: build/site/html/index.html.
docs: $(BIN)/python
	$(PIP) install "nox>=2024.4.15"
	$(BIN)/nox -s docs

clean:
	rm -rf build demo $(VENV)
