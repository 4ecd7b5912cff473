"""Plans and scripts that protocols with homomorphic products and garbled gadgets share.

`delphi` imports this package, and `null`, which plays its script. The harness (cli, report, launch) never
does.
"""
