"""The command line: ``pi-bench COMMAND``. Every expected failure gives one line and an exit code.

Commands:
    latency, latency_connected        measures on this machine, or with a server on another one
    latency_output                    writes the result of both
    sweep, table                      measures many networks, and those of a paper's table
    sweep_cells, network_choice       measures the cells of both, and finds the networks that the user names
    inspect, prediction               shows the program, and predicts its cost
    accuracy, evaluation_data         compares answers over a data set, which it reads
    compare, regress, judgment        compares networks or kept runs, and judges their ratio
    history, report                   lists, shows and names kept runs, and makes a page of plots of them
    serve, infer                      runs one party for, or against, another machine
    micro                             times the primitives
    export, export_module             writes model files, from recipes or from networks of the user
    export_inputs, recipes            calibration inputs and class names, and the names of recipes
    train, reduce                     trains networks, and searches for networks with fewer ReLUs
    schema, completion                prints a JSON Schema, or a script for the shell

Options that commands share:
    measuring_options                 the options of `MeasurementOptions`, such as --runs and --link
    model_options, protocol_options   the model file, the protocol and its own options
    fusion_option, fidelity_options   --fuse without an objective, and the choice of bits by an export
    layer_options, history_option     the columns of tables, and the keeping of results
    limits_option, like_option        the limits of the machine, and the options of an earlier result
    sweep_options, format_option      the settings of a sweep, and the format of a table
    training_options                  the settings of a training, its data and its device

Around a command:
    parser, help, arguments           makes the parser, formats its help, parses words
    output, streams, progress         writes files, prints, and shows progress
    failures, warnings, interruption  prints errors and warnings, and handles Ctrl-C
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial

from pi_bench.cli.failures import say
from pi_bench.cli.interruption import Interruptions, interruption_text
from pi_bench.cli.streams import lasting_streams
from pi_bench.errors import OutputError, PiBenchError, interruption_code, reason


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: None takes those of the process.

    Raises:
        SystemExit: the parser ends the program, after ``--help`` or wrong usage.

    >>> main(["schema", "weather"])  # the error says which schemas there are
    2
    """
    with Interruptions(whole_process=arguments is None) as interruptions, lasting_streams() as out:
        try:
            code = _run(arguments, interruptions)
        except SystemExit as leaving:  # of the parser, after --help for instance
            out.flush()
            if leaving.code or out.failed is None:
                raise
            code = 0
        out.flush()
        if out.failed is not None:
            say(f"cannot write to standard output: {reason(out.failed)}")
            code = code or OutputError.exit_code
    return code


def _run(arguments: Sequence[str] | None, interruptions: Interruptions) -> int:
    try:
        try:
            interruptions.release()
            return _command(arguments)
        finally:
            interruptions.hold()  # the exit code and the last line are decided
    except PiBenchError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt as error:
        say(interruption_text(error))
        return interruption_code(error)
    except Exception as error:
        if os.environ.get("PI_BENCH_TRACEBACK"):
            raise
        say(f"internal: {type(error).__name__}: {error} (PI_BENCH_TRACEBACK=1 shows where; please report it)")
        return 1


def _command(arguments: Sequence[str] | None) -> int:
    from pi_bench.cli.fusion_option import with_objectives
    from pi_bench.cli.like_option import expanded
    from pi_bench.cli.parser import make_parser

    given = sys.argv[1:] if arguments is None else arguments
    needed = given[:1]  # the command, or an option that needs none, such as --help
    parser = make_parser(needed)
    if not given:
        parser.print_help()
        return 0
    parsed = parser.parse_args(expanded(with_objectives(given), partial(make_parser, needed)))

    from pi_bench.launch.logs import start_logging  # here, because --help and --version need none

    start_logging(parsed.verbose, "command")
    return int(parsed.run(parsed))
