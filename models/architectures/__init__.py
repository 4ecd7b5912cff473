"""Spaces of architectures, and the proposals of a search in them. Importing this imports no torch.

settings         the numbers of a search
space            the interface of a space: networks of a family whose width is set last
cryptonas_space  CryptoNAS' chains of layers with skips
sphynx_space     Sphynx' cells and reductions
spaces           the spaces by name
evolution        which architectures are tried next: drawn ones, or changed copies of the best
"""
