"""Plans, scripts and parties that protocols with homomorphic products and gadgets share.

Protocols import this package; the harness (cli, report, launch) never does.
"""
