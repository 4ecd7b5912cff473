# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
NATIVE := $(shell find native -type f) CMakeLists.txt pyproject.toml

.PHONY: setup demo test native-test bench lint clean

setup: $(STAMP)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Without build isolation, so that a changed kernel is compiled and not all of them.
$(STAMP): $(NATIVE) | $(BIN)/python
	$(PIP) install scikit-build-core pybind11 ninja
	PATH=$(abspath $(BIN)):$$PATH $(PIP) install --no-build-isolation --editable ".[torch,test]"
	@touch $@

demo: $(STAMP)
	@mkdir -p demo
	$(BIN)/pi-bench export --recipe resnet18-cifar100-12288 --output demo/model.pt
	$(BIN)/pi-bench latency demo/model.pt

test: $(STAMP)
	$(BIN)/python -m pytest

native-test:
	cmake --preset release
	cmake --build --preset release --parallel 2
	ctest --preset release

bench: $(STAMP)
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-autosave --benchmark-max-time=0.3 \
	  --benchmark-columns=median,iqr,rounds --benchmark-quiet
	$(BIN)/python -m benchmarks.report

lint: $(BIN)/python
	$(PIP) install "nox>=2024.4.15"
	$(BIN)/nox

clean:
	rm -rf build demo $(VENV)
