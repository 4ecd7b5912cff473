"""Wraps the kernels of the native code for protocols: buffers to buffers, no socket, no clock.

Oblivious transfer:
    base_ot, ot_extension                base OTs by public-key cryptography; any number of OTs from them
    fresh_cot                            an instance with a new delta per inference
    ferret, ferret_instance              silent OT: both parties; the part that they share
    ferret_plan, ferret_groups           its batches; the calls of its kernels
    correlated_ot, postponed_ots         the interface of both constructions; OTs that a kernel extends
    additive_ot, gilboa                  shares of a choice times a word, and of a product

Gadgets:
    gadget                               the garbled gadget of a ReLU or a truncation
    gadget_spec, gadget_arguments        its public numbers and sizes; the arguments of its steps
    fss, fss_offline, fss_online         the FSS gadget, without a circuit
    fss_spec, fss_arguments              its public numbers and sizes; the arguments of its steps

Encryption and hashes:
    he                                   linear operators on encrypted masks
    symmetric, kdf, checksum             AES and the hash of labels; key derivation; the sum of all frames

Secrets and arguments:
    randomness, secret                   the system's random numbers; pages that are locked and wiped
    closed_context                       the form of a context that ends with `close`
    kernel_arguments                     passes records of arguments to kernels
"""
