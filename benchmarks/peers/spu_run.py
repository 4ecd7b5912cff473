"""One network under SecretFlow SPU 0.9.5, in its own environment: two processes, one result as JSON.

CHEETAH: two-party, semi-honest, everything online. SEMI2K: insecure preprocessing, party 0 deals the
triples (SPU's default). The weights are party 1's and private to it, the input is shared by party 0.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
from plain_network import PlainNetwork, noise

CLIENT, SERVER = 0, 1
TIMEOUT_MS = 600_000


class Operators:
    """On jax arrays, (batch, rows, columns, channels); weights as jax wants them (see `arranged`)."""

    def conv(self, x: Any, weight: Any, bias: Any, stride: list[int], padding: list[int]) -> Any:
        import jax

        pads = [(padding[0], padding[0]), (padding[1], padding[1])]
        order = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, weight, tuple(stride), pads, dimension_numbers=order)
        return y if bias is None else y + bias

    def linear(self, x: Any, weight: Any, bias: Any) -> Any:
        y = x @ weight
        return y if bias is None else y + bias

    def relu(self, x: Any) -> Any:
        import jax

        return jax.nn.relu(x)

    def add(self, x: Any, y: Any) -> Any:
        return x + y

    def avg_pool(self, x: Any, kernel: list[int], stride: list[int]) -> Any:
        if list(kernel) != list(x.shape[1:3]):
            raise ValueError("only global pooling is needed here")
        return x.mean(axis=(1, 2), keepdims=True)

    def flatten(self, x: Any) -> Any:
        return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)


def arranged(weight: np.ndarray) -> np.ndarray:
    """Converts (out, in, h, w) to (h, w, in, out) and (out, in) to (in, out). Biases stay as they are."""
    return weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T


def party(
    rank: int, ports: list[int], core: int | None, parsed: argparse.Namespace, mailboxes: list, results: Any
) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    import spu
    from spu import api, libspu
    from spu.utils import frontend

    network = PlainNetwork.load(parsed.network)
    names = list(network.weights)
    arrays = [noise(network).transpose(0, 2, 3, 1), *(arranged(network.weights[name]) for name in names)]
    arrays = [np.ascontiguousarray(array) for array in arrays]

    def run_network(x: Any, *weights: Any) -> Any:
        return network.evaluate(Operators(), x, dict(zip(names, weights, strict=True)))

    inputs = [f"in{number}" for number in range(len(arrays))]
    secret = [libspu.Visibility.VIS_SECRET] * len(arrays)
    program, _ = frontend.compile(
        frontend.Kind.JAX, run_network, arrays, {}, inputs, secret, lambda outputs: ["out0"]
    )

    protocol = libspu.ProtocolKind.__members__[parsed.protocol]
    config = libspu.RuntimeConfig(protocol=protocol, field=libspu.FieldType.__members__[parsed.field])
    config.experimental_enable_colocated_optimization = True  # the owner's weights stay private to it
    config.enable_pphlo_profile = rank == CLIENT  # prints the bytes of each run
    description = libspu.link.Desc()
    description.recv_timeout_ms = description.http_timeout_ms = TIMEOUT_MS
    for other, port in enumerate(ports):
        description.add_party(f"party{other}", f"127.0.0.1:{port}")
    link = libspu.link.create_brpc(description, rank)
    started = time.perf_counter()
    runtime, shares = api.Runtime(link, config), api.Io(2, config)
    set_up_s = time.perf_counter() - started

    def share(name: str, array: np.ndarray, owner: int, private: bool) -> None:
        """Splits at the owner, and hands the other one its part, as over any channel."""
        if rank == owner:
            parts = shares.make_shares(array, libspu.Visibility.VIS_SECRET, owner if private else -1)
            mailboxes[1 - rank].put(_packed(parts[1 - rank]))
            runtime.set_var(name, parts[rank])
        else:
            runtime.set_var(name, _unpacked(libspu, mailboxes[rank].get()))

    for number, (name, array) in enumerate(zip(inputs, arrays, strict=True)):
        is_input = number == 0  # shared: private to its owner, a ReLU of it would be local
        share(name, array, CLIENT if is_input else SERVER, private=not is_input)
    times_s = []
    for _ in range(parsed.repetitions):
        link.barrier()
        started = time.perf_counter()
        runtime.run(program)
        times_s.append(time.perf_counter() - started)
    part = runtime.get_var("out0")
    if rank == SERVER:
        mailboxes[CLIENT].put(_packed(part))
        results.put((rank, None))
    else:
        output = shares.reconstruct([part, _unpacked(libspu, mailboxes[rank].get())])
        result = {"set_up_s": set_up_s, "times_s": times_s, "versions": {"spu": spu.__version__}}
        if output.ndim == 4:
            output = output.transpose(0, 3, 1, 2)
        results.put((rank, result | {"output": np.asarray(output).ravel().tolist()}))
    results.close()
    results.join_thread()
    link.barrier()
    link.stop_link()


def _packed(share: Any) -> tuple[Any, Any]:
    return share.meta, share.share_chunks


def _unpacked(libspu: Any, packed: tuple[Any, Any]) -> Any:
    share = libspu.Share()
    share.meta, share.share_chunks = packed
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--protocol", choices=("CHEETAH", "SEMI2K"), required=True)
    parser.add_argument("--field", choices=("FM32", "FM64"), default="FM64")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cores", default="", help="a core for each party, as 0,1")
    parsed = parser.parse_args()
    cores = [int(core) for core in parsed.cores.split(",")] if parsed.cores else [None, None]
    context = multiprocessing.get_context("spawn")
    ports = []
    with socket.socket() as first, socket.socket() as second:
        for chosen in (first, second):
            chosen.bind(("127.0.0.1", 0))
            ports.append(chosen.getsockname()[1])
    mailboxes, results = [context.Queue(), context.Queue()], context.Queue()
    processes = [
        context.Process(target=party, args=(rank, ports, cores[rank], parsed, mailboxes, results))
        for rank in (CLIENT, SERVER)
    ]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=TIMEOUT_MS / 1000) for _ in processes)
    for process in processes:
        process.join(60)
        process.kill()
    print(json.dumps(found[CLIENT]))


if __name__ == "__main__":
    main()
