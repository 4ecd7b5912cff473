"""Searches for networks with fewer ReLUs: independent trainings, run by an engine, to a Pareto frontier.

Searches, each but nas from a network with all its ReLUs:
    deepreduce, ablation                 by stages: DeepReDuce, and its culling order
    snl, bcd, senet, autorep             by single ReLUs, to budgets
    plan, plan_costs                     by layers or channels that become polynomials or linear, after DELPHI
    chosen_plan, chosen_plans            its settings and plans: by gain per risk of layers
    channel_plans, population            or of groups of channels, or by population-based training
    safenet, channel_costs               by channels that become polynomials or linear, after SAFENet
    nas, nas_settings                    architectures of a space
    candidate_search                     the search for one budget
    architecture_sizes                   networks as wide as a budget allows
    relaxed_cells, cell_costs            architectures from DARTS, and the predicted times by which it weighs
    prune                                by filters, the baseline
    merge                                adjacent linear layers of a search's networks, merged

Jobs, each in a folder of its own:
    job, job_files                       a job as plain data, and the files that an ended one has left
    training_job                         trains a recipe
    search_job, job_kind                 any other job of a search, by a function for its work
    search_work, merging_work            these functions: masks, criteria, channels, merged networks

Engines, which run jobs:
    engine, engine_local, engine_ray     the interface, processes of this machine, a Ray cluster
    worker                               a process of engine `local`

Parts of several searches:
    search_folder, trainings, teacher    the folder, settings and trainings, the network to distill from
    search_time                          the time of all epochs, from the logs
    masked_budgets, time_budgets         budgets of searches by masks; budgets of predicted time
    objective, predicted_candidates      ReLUs or predicted time, and the predicted times of networks
    untrained                            graphs of networks that are not trained

Candidates and results:
    candidate, frontier                  the networks of a search, and those that no other one beats
    private_latency                      their measured latency
    pareto_table, merging_table, plot    pareto.csv, merging.csv, the figure
"""
