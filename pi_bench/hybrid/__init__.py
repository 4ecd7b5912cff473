"""Plans and scripts that protocols with homomorphic products and garbled gadgets share.

Protocols import this package; the harness (cli, report, launch) never does.
"""
