"""The two parties of protocols with homomorphic products and gadgets for activations, step by step.

Each module holds both parties of one sub-protocol. `party` runs the modules in their order, and a protocol
derives its client and its server from it.
"""
