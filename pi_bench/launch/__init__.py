"""Starts and leads the two parties as processes, and checks their results.

The parties:
    server, server_process               the server party, and the process that runs it
    client, client_process               the client party, and the process that runs it
    agreement, named_server, logs        their handshake, their errors and their log

Processes:
    processes, party_process, child      start both parties, watch one, and end each with its launcher
    control                              the pipe between launcher and party
    requests, party_records              its messages: requests to a party, and figures of a party
    placement                            threads and cores of each party
    weight_cache                         the memory that a server may spend on transformed weights

A measurement:
    measurement, inputs, model           its options and results, its input, and its network
    latency, timed_runs, stopping        both parties on this machine: the runs, and when they are enough
    connected_session, connected_client  runs with a server on another machine, led by the client
    timelines                            one traced run: timelines of both parties, and both clocks
    measurement_responder                the server's answers to a client that measures
    verification, expected_logits        whether a run obeyed its law, and gave the logits that were expected

Costs and limits of this machine:
    cached_costs, two_party_costs        seconds per unit, kept between commands; those of two parties
    cached_limits                        the best rates, kept for some minutes
    fusion_costs, alternatives           the costs by which fusion plans; predictions with other settings

Accuracy:
    accuracy, accuracy_task              compares float, integer and private answers; says which
    accuracy_findings, accuracy_layers   the answers, and the errors by layer
    private_accuracy, samples            runs of two parties on samples, in chunks
    remedies                             the effect of one more bit
"""
