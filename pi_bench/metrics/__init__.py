"""Measures time, bytes, memory and the costs of primitives, and describes the machine.

A run:
    spans, resources                     time and bytes by operator; memory and processor time by phase
    timeline                             when a party computed, sent and waited
    statistics                           medians, intervals, outliers
    machine_use                          other work on the machine during a measurement

Primitives:
    micro, primitive_costs               their timed cases, and the costs that follow
    timing                               one call, timed
    measured_limits, limits_process      the rates of this machine, measured in a process of its own

The machine:
    environment, processor_quota         hardware and software; the part of a processor that is granted
    available_memory                     the memory that a process can still take
    control_groups                       the folders of control groups, which both of these read
"""
