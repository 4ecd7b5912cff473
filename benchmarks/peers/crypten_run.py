"""One network under CrypTen 0.4.1, in its own environment: two processes, one result as JSON.

Insecure preprocessing: CrypTen's default provider, in which party 0 deals all triples in the clear.
Weights are secret-shared by party 1, the input by party 0, fixed point of 16 bits in a 64-bit ring.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
from plain_network import PlainNetwork, noise

CLIENT, SERVER = 0, 1


class Operators:
    """On CrypTen's encrypted tensors, (batch, channels, rows, columns)."""

    def conv(self, x: Any, weight: Any, bias: Any, stride: list[int], padding: list[int]) -> Any:
        y = x.conv2d(weight, stride=tuple(stride), padding=tuple(padding))
        return y if bias is None else y.add(bias.reshape(1, -1, 1, 1))

    def linear(self, x: Any, weight: Any, bias: Any) -> Any:
        y = x.matmul(weight.t())
        return y if bias is None else y.add(bias)

    def relu(self, x: Any) -> Any:
        return x.relu()

    def add(self, x: Any, y: Any) -> Any:
        return x.add(y)

    def avg_pool(self, x: Any, kernel: list[int], stride: list[int]) -> Any:
        return x.avg_pool2d(tuple(kernel), stride=tuple(stride))

    def flatten(self, x: Any) -> Any:
        return x.flatten(start_dim=1)


def import_crypten() -> Any:
    """Imports CrypTen, which imports a private module of torch that newer versions lack.

    Only its ONNX import reads that module, and nothing here uses it. So an empty module takes its place.
    """
    name = "torch.onnx._internal.registration"
    try:
        __import__(name)
    except ImportError:
        stand_in = types.ModuleType(name)
        stand_in.registry = None  # type: ignore[attr-defined]
        sys.modules[name] = stand_in
    import crypten

    return crypten


def party(rank: int, port: int, core: int | None, path: Path, repetitions: int, results: Any) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    os.environ.update(WORLD_SIZE="2", RANK=str(rank), DISTRIBUTED_BACKEND="gloo", GLOO_SOCKET_IFNAME="lo")
    os.environ["RENDEZVOUS"] = f"tcp://127.0.0.1:{port}"
    crypten = import_crypten()
    import crypten.communicator as communicator
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    crypten.init()
    network = PlainNetwork.load(path)

    def shared(array: np.ndarray, owner: int) -> Any:
        mine = array if rank == owner else np.zeros_like(array)  # the other party's values are not read
        return crypten.cryptensor(torch.from_numpy(mine), src=owner)

    weights = {name: shared(array, SERVER) for name, array in network.weights.items()}
    set_up_s = time.perf_counter() - started
    image = noise(network)
    times_s, output = [], None
    crypten.cfg.communicator.verbose = True  # counts bytes
    for _ in range(repetitions):
        communicator.get().barrier()
        communicator.get().reset_communication_stats()
        started = time.perf_counter()
        output = network.evaluate(Operators(), shared(image, CLIENT), weights).get_plain_text(dst=CLIENT)
        times_s.append(time.perf_counter() - started)
    moved = communicator.get().get_communication_stats()["bytes"]
    result = {"set_up_s": set_up_s, "times_s": times_s, "bytes": moved, "versions": _versions(crypten, torch)}
    results.put((rank, result | {"output": output.flatten().tolist() if rank == CLIENT else []}))
    communicator.get().barrier()
    results.close()
    results.join_thread()
    os._exit(0)  # torch's threads of the connection do not end by themselves


def _versions(crypten: Any, torch: Any) -> dict[str, str]:
    return {"crypten": crypten.__version__, "torch": torch.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cores", default="", help="a core for each party, as 0,1")
    parsed = parser.parse_args()
    path, repetitions = parsed.network, parsed.repetitions
    cores = [int(core) for core in parsed.cores.split(",")] if parsed.cores else [None, None]
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=party, args=(rank, port, cores[rank], path, repetitions, results))
        for rank in (CLIENT, SERVER)
    ]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=600) for _ in processes)
    for process in processes:
        process.join()
    client, server = found[CLIENT], found[SERVER]
    client["bytes"] += server["bytes"]  # the sent bytes of each
    print(json.dumps(client))


if __name__ == "__main__":
    main()
