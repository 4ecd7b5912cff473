"""The steps of a gadget's online round on one slice, for a garbled gadget and for one with a table.

    server  encode    u -> message, and the words that it keeps until the answer
    client  evaluate  message -> z and, for a table, answer bits
    server  finish    z, answer bits, kept words -> y - r'

The server's shares of a result exist before it sends its message, in one or several versions. The answer bits
say which of them counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pi_bench.crypto import fss, gadget
from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.work_plan import GadgetJob, rows

Arrays = Mapping[str, np.ndarray]


def encode(
    job: GadgetJob,
    groups: range,
    arrays: Arrays,
    u: np.ndarray,
    message: np.ndarray,
    kept: np.ndarray,
    threads: int,
) -> None:
    """Fills the server's message and the words that it keeps, from its share `u` of the slice.

    `message` is uint8 (groups * online_group_bytes,) and `kept` uint8 (groups * kept_group_bytes,), as the
    job says. `u` is uint32 (groups * 32,).

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import Party, ProtocolOptions
    >>> from pi_bench.registry import find_protocol
    >>> from pi_bench.testing import TwoParties, small_network
    >>> program, weights = small_network()
    >>> options = ProtocolOptions("exact")
    >>> plan = WorkPlan(program, options)
    >>> (job,), groups, masks = plan.gadget_jobs, range(1), np.zeros(32, np.uint32)
    >>> with TwoParties(find_protocol("delphi"), program, weights, options) as parties:
    ...     arrays = {party: material.claim("delphi") for party, material in parties.preprocess().items()}
    ...     message = np.empty(job.online_group_bytes, np.uint8)
    ...     kept, z = np.empty(job.kept_group_bytes, np.uint8), np.empty(32, np.uint32)
    ...     u = np.full(32, 5 << job.spec.truncate_bits, np.uint32) - arrays[Party.CLIENT]["share:0"]
    ...     encode(job, groups, arrays[Party.SERVER], u, message, kept, threads=1)
    ...     evaluate(job, groups, arrays[Party.CLIENT], message, masks, z, masks[:0], threads=1)
    ...     finish(job, kept, z, masks[:0], z, threads=1)
    ...     print(z[:4])
    [5 5 5 5]
    """
    state = rows(arrays[f"state:{job.number}"], groups)
    if job.table is not None:
        fss.encode(
            fss.FssCall(job.table, job.number, groups.start, threads),
            fss.FssEncodeArguments(arrays["delta"], arrays["table_seed"], state, u, message, kept),
        )
        return
    gadget.encode(
        gadget.GadgetCall(job.spec, job.number, groups.start, threads),
        gadget.EncodeArguments(
            delta=arrays["delta"],
            label_seed=arrays["label_seed"],
            state=state,
            u=u,
            out_message=message,
            out_mask=kept.view(np.uint32),
        ),
    )


def evaluate(
    job: GadgetJob,
    groups: range,
    arrays: Arrays,
    message: np.ndarray,
    next_mask: np.ndarray,
    z: np.ndarray,
    bits: np.ndarray,
    threads: int,
) -> None:
    """Fills the client's answer `z`, uint32 (groups * 32,), and its bits, from the server's message.

    `bits` is uint32 of groups * answer_group_bytes bytes. `encode` shows all steps.

    ```python
    def answer(job: GadgetJob, arrays: Arrays, message: np.ndarray, next_mask: np.ndarray) -> np.ndarray:
        z = np.empty(job.padded_count, np.uint32)
        bits = np.empty(job.group_count * job.answer_group_bytes // 4, np.uint32)
        evaluate(job, range(job.group_count), arrays, message, next_mask, z, bits, threads=1)
        return z
    ```
    """
    if job.table is not None:
        state = rows(arrays[f"state:{job.number}"], groups)
        fss.evaluate(
            fss.FssCall(job.table, job.number, groups.start, threads),
            fss.FssEvaluateArguments(
                arrays["reverse_delta"], arrays["table_seed"], state, message, next_mask, z, bits
            ),
        )
        return
    elements = job.elements(groups)
    select = arrays.get(f"select:{job.number}")
    gadget.evaluate(
        gadget.GadgetCall(job.spec, job.number, groups.start, threads),
        gadget.EvaluateArguments(
            hash_seed=arrays["hash_seed"],
            v=rows(arrays[f"share:{job.number}"], elements),
            beta=None if select is None else rows(select, elements),
            active_labels=rows(arrays[f"labels:{job.number}"], groups),
            garbled=rows(arrays[f"garbled:{job.number}"], groups),
            message=message,
            next_mask=next_mask,
            out_z=z,
        ),
    )


def read_online(job: GadgetJob) -> list[str]:
    """Lists the client's arrays, of one row per lane group, that `evaluate` reads from memory.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> read_online(WorkPlan(small_network()[0], ProtocolOptions("exact")).gadget_jobs[0])
    ['labels:0', 'garbled:0']
    """
    names = ("labels", "garbled") if job.table is None else ("state",)
    return [f"{name}:{job.number}" for name in names]


def finish(
    job: GadgetJob, kept: np.ndarray, z: np.ndarray, bits: np.ndarray, share: np.ndarray, threads: int
) -> None:
    """Fills the server's share y - r' of the slice.

    For a garbled gadget, `z` and `share` may be one array, of the real elements alone. `encode` shows all
    steps.

    ```python
    from pi_bench.protocol import SessionLike

    def receive(session: SessionLike, job: GadgetJob, kept: np.ndarray, z: np.ndarray) -> None:
        session.receive_into(z)
        finish(job, kept, z, np.zeros(0, np.uint32), z, threads=1)
    ```
    """
    if job.table is not None:
        fss.finish(job.table, fss.FinishArguments(kept, z, bits, share), threads)
    else:
        np.subtract(z, kept.view(np.uint32)[: z.size], out=share)


def server_shares(job: GadgetJob, kept: np.ndarray) -> np.ndarray:
    """Returns the versions of the server's share A of a job: uint32 (versions, elements), with padding.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> (job,) = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True).gadget_jobs
    >>> server_shares(job, np.zeros(job.kept_group_bytes, np.uint8)).shape
    (2, 32)
    """
    if job.table is None:
        return 0 - kept.view(np.uint32)[None]
    versions = fss.share_versions(job.table, kept)  # (groups, versions, 32)
    return np.ascontiguousarray(versions.transpose(1, 0, 2)).reshape(job.share_versions, -1)


def versions_named(job: GadgetJob, groups: range, sent: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Returns the number of the version that counts, for each element of a slice, with padding.

    `sent` is the server's message at the client, and the kept words at the server.

    >>> from pi_bench.hybrid.work_plan import WorkPlan
    >>> from pi_bench.protocol import ProtocolOptions
    >>> from pi_bench.testing import small_network
    >>> (job,) = WorkPlan(small_network()[0], ProtocolOptions("windowed"), uses_tables=True).gadget_jobs
    >>> kept, bits = np.zeros(job.kept_group_bytes, np.uint8), np.array([6], np.uint32)
    >>> versions_named(job, range(1), kept, bits)[:4].tolist()
    [0, 1, 1, 0]
    """
    if job.table is None:
        return np.zeros(len(groups) * LANES, np.intp)
    return fss.version_numbers(job.table, sent, bits)
