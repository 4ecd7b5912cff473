"""The two parties of protocols with homomorphic products and gadgets for activations, step by step.

Each module holds both parties of one sub-protocol. `party` runs the modules in their order, and a protocol
derives its client and its server from it.

Phases:
    party, keys                          both parties, and the set-up once per connection
    offline, online                      the two phases of an inference
    prepared                             the plan and weights that a server prepares once for all its clients

Offline:
    products, crosses, select            products under encryption, cross products, selected windows
    gadgets                              all but the products, for one inference of a phase
    garbling, tables, silent             garbled circuits, shared tables, instances of Ferret

Online:
    activations, multiplications         the round of an activation, and element-wise products in it
    rounds                               the steps of a gadget on one slice

Memory and seeds:
    material, scratch                    tables, labels and states; buffers of the online phase
    seeds                                the seeds of one inference
"""
