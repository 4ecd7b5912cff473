"""Plans and scripts that protocols with homomorphic products and garbled gadgets share.

`delphi` and `null` import this package; the harness (cli, report, launch) never does.
"""
