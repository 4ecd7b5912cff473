"""Writes results as versioned JSON, and as tables on a terminal.

A module that is named like a module of `documents` fills that document or writes it as text.

Documents:
    documents                            the types from which the JSON Schema is made
    result, inspection, export           those of `latency`, `inspect` and `export`
    accuracy, comparison, micro          those of `accuracy`, `compare` and `micro`
    notebook                             results in notebooks: frames of pandas, HTML
    stored                               a document from the values of its JSON

Screens:
    terminal, details                    `latency`: the first screen, and what `--layers all` adds
    accuracy_text, history               `accuracy` and `history`
    layer_table, operator_table          `latency` and `inspect`: the tables by layer and by operator
    error_table                          `accuracy`: the table of errors by layer
    explanation                          `inspect --explain`: the causes of a network's cost

Parts of several documents and screens:
    answer, scores, weights              the network's answer, scores of answers, origin of the weights
    bits, clamps, fusion, operators      fixed point, clamps, fused layers, operators in a few words
    fidelity, known_fidelity, remedies   closeness to the float network, and what would improve it
    phases, layer_time, directions       times and bytes by phase, layer and direction
    prediction, floor                    predicted times, and the least possible ones
    trace, trace_events                  a traced inference: its line, and its file
    link, two_machines, mode_text        the link, runs on two machines, mode and options
    security                             the protocol's statement about its security

Warnings:
    warnings, accuracy_warnings          about a result, with advice
    cautions                             about the machine, with advice

Tables for papers and programs:
    table_formats                        text, Markdown, LaTeX, CSV and JSON
    result_table, published_table        results as rows, and published figures beside measured ones

Text:
    text_table, columns                  tables, and the columns and rows that the user chooses
    text_width, colors, bars             width, colors, bars
    quantities                           numbers with units
"""
