"""Sentences for results whose parties ran on two machines."""

from __future__ import annotations

from pi_bench.report.documents.fields import Machine
from pi_bench.report.documents.latency import Result
from pi_bench.report.fidelity import fidelity_line
from pi_bench.report.layer_time import layer_times
from pi_bench.report.quantities import counted
from pi_bench.report.weights import weights_text


def threads_text(result: Result) -> str:
    """Says how many threads the parties have.

    ```python
    def print_threads(result: Result) -> None:
        print(threads_text(result))
    ```
    """
    client, server = result.environment.threads, result.server_environment
    if server is None:
        return f"{counted(client, 'thread')} per party"
    return f"{counted(client, 'thread')} at the client and {server.threads} at the server"


def weights_words(result: Result) -> str:
    """Says where the weights come from, as far as this machine knows.

    ```python
    def print_weights(result: Result) -> None:
        print(weights_words(result))
    ```
    """
    if result.server_environment is not None and result.quantization is None:
        return "weights known to the server alone"
    return weights_text(result.network.weights)


def machine_lines(result: Result) -> list[str]:
    """Names both machines; no line where both parties ran on one.

    ```python
    def print_machines(result: Result) -> None:
        print("\\n".join(machine_lines(result)))
    ```
    """
    server = result.server_environment
    if server is None:
        return []
    return [
        f"client on {_machine_text(result.environment)}",
        f"server on {_machine_text(server)}, as it says itself",
    ]


def unseen_layers_lines(result: Result) -> list[str]:
    """Says why layers that the server computes alone have no time on the client's clock.

    The list is empty where both parties ran on one machine, and where the client has a time for every layer.

    ```python
    def print_reason(result: Result) -> None:
        print("\\n".join(unseen_layers_lines(result)))
    ```
    """
    unseen = any(
        row.time_s == 0 and row.layer.server.compute_s > 0 for row in layer_times(result.online.layers)
    )
    if result.server_environment is None or not unseen:
        return []
    return [
        "A layer without a time is computed by the server alone, while the client works on another layer. Of "
        "it the server's own time is known (server ms), which hides behind the other layer's."
    ]


def unverified_rows(result: Result) -> list[tuple[str, str]]:
    """Says why a result was not verified, and how its logits compare with the expected ones.

    ```python
    def print_reason(result: Result) -> None:
        print(*unverified_rows(result))
    ```
    """
    known = []
    if result.fidelity is not None:
        known.append(("fidelity", fidelity_line(result.fidelity, result.network.weights)))
    return [("verdict", f"not verified: {result.unverified_reason}"), *expected_rows(result), *known]


def expected_rows(result: Result) -> list[tuple[str, str]]:
    """Says how the logits compare with the expected ones; no row where none are expected.

    ```python
    def print_comparison(result: Result) -> None:
        print(*expected_rows(result))
    ```
    """
    compared = result.expected_logits
    if compared is None:
        return []
    words = "agree with" if compared.passed else "DIFFER from"
    return [
        (
            "expected",
            f"the logits of {counted(compared.compared_run_count, 'run')} {words} {compared.file}: largest "
            f"difference {compared.max_error:.6g}, allowed {compared.tolerance:g}",
        )
    ]


def _machine_text(machine: Machine) -> str:
    return (
        f"{machine.cpu_model}, {counted(machine.usable_core_count, 'core')}, {machine.instruction_set}, "
        f"pi-bench {machine.commit or machine.versions.get('pi-bench', 'unknown')}"
    )
