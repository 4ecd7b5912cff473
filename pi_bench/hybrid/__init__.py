"""Plans, scripts and parties that protocols with homomorphic products and gadgets share.

Protocols import this package; the harness (cli, report, launch and others) never does.

The plan:
    work_plan                       the work that a program requires
    products, multiplications       the products under encryption, and those of activations
    shared_uploads, kernel_taps     which products share an upload, and how one kernel lies within another
    lane_groups                     the units in which kernels compute and messages are sent
    modes, other_settings           modes and options, and other settings that are worth predicting
    ot_construction                 the constructions by which OTs are extended
    ot_plan                         the OTs that an inference needs
    link_choice                     the options that a user leaves to the link
    security                        the estimates and parameters that apply to a plan

The offline phase:
    parts                           its parts, by which spans and messages are reported
    exchange, exchanges             an exchange of messages, and one file for each of its kinds
    offline_schedule, table_queue   the order of the exchanges, and of those that grow shared tables
    product_order, awaited_values   the order of the products, and the values that each one makes known

Running and predicting:
    parties                         both parties, step by step
    script, fixed_steps             computing and messages as data, and the costs of steps of fixed size
"""
