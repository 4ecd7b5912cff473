"""Declares the options of a measurement, each once: `table.MeasurementOptions` is the table of them.

The command line makes its flags from the table, and ``--like`` reads it. A `Task` has the values. Nothing
here imports numpy before it is used, and this file imports nothing, so that ``--help`` stays quick.

    table                    the table, whose first fields are those of the next two modules
    fixed_point, stopping    the choice of the integer network, and the number of runs
    option                   the declaration of one option
    values, fusion_objective  parse words of the command line
"""
