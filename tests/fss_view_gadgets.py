"""The messages of whole FSS gadgets in the worlds of tests/fss_views.py, section by section of the text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.fss_views import CLIENT, SERVER, WORD, Array, SharedTable, Shares, View


@dataclass(frozen=True)
class Ring:
    """A gadget on words of `bits` bits; `digit`: bits of a leaf's table."""

    bits: int
    truncate_bits: int
    window_bits: int
    drop: int = 0
    exact: bool = False
    digit: int = 2


def product(view: View, bit: Array, fields: list[tuple[Array, int]], reuse: bool = False) -> list[Shares]:
    """Shares of the server's bit times values of the client, mod 2^width each. `reuse`: one pad for all."""
    out, pads = [], None
    for value, width in fields:
        if not (reuse and pads):
            pads = view.pads(SERVER, bit, width)
        zero, one = pads
        tau = zero + value - one
        view.send(CLIENT, tau, width)
        own = np.where(bit, one + (tau & (1 << width) - 1), zero)
        out.append({SERVER: own, CLIENT: -zero})
    return out


def relu(view: View, ring: Ring, u: int, v: int) -> dict[str, list[Array]]:
    """Sections 4 and 5: sends all messages. Returns the versions of the server's share, and z."""
    f, k, size = ring.truncate_bits, ring.drop, ring.bits
    window = ring.window_bits + 1 - f
    n, g = window - k - 1, size - window
    zero = np.zeros(view.rows.size, WORD)
    u_all, v_all = zero + u, zero + v
    v_window = v_all >> f & (1 << window) - 1
    v_top = v_window >> window - 1
    v_rest = v_window - (v_top << window)
    limit = ~(v_window >> k) & (1 << n) - 1
    versions = 2 if ring.exact else 1
    # offline
    mask, top_mask = view.draw(SERVER, n), view.draw(SERVER, 1)
    select = [view.draw(SERVER, 1) for _ in range(versions)]
    if view.flaw == "one select bit":
        select[-1] = select[0]
    e = zero if view.flaw == "no e" else view.draw(CLIENT, 1)
    carries = [{SERVER: zero, CLIENT: zero}]
    if ring.exact:
        low_mask, rho = view.draw(SERVER, f), {p: view.draw(p, 1) for p in (SERVER, CLIENT)}
        carry = SharedTable(view, f, ring.digit, low_mask, ~v_all & (1 << f) - 1, zero)
        table_mask = mask << 1 | rho[SERVER]
        sign = SharedTable(view, n + 1, ring.digit, table_mask, limit << 1, rho[CLIENT])
        (gamma,) = product(view, rho[SERVER], [(rho[CLIENT], size)])
        first = {p: rho[p] - 2 * gamma[p] for p in rho}
        carries = [first, {SERVER: 1 - first[SERVER], CLIENT: -first[CLIENT]}]
    else:
        sign = SharedTable(view, n, ring.digit, mask, limit, zero)
    (wrap,) = product(view, top_mask, [(v_top, g)])
    payloads = []
    for version in range(versions):
        base = v_rest + (wrap[CLIENT] << window) + carries[version][CLIENT]
        step = v_top - 2 * wrap[CLIENT]
        reuse = view.flaw == "one pad for both corrections"
        payloads.append((base, step, *product(view, select[version], [(base, size), (step, g)], reuse)))
    keys = [view.pads(CLIENT, e, size) for _ in range(versions)]
    # online, to the client
    u_window = u_all >> f & (1 << window) - 1
    u_top = u_window >> window - 1
    w = u_window >> k ^ (top_mask << n | mask)
    w_top, index = w >> n & 1, w & (1 << n) - 1
    view.send(SERVER, w, n + 1)
    if ring.exact:
        w_low = (u_all & (1 << f) - 1) ^ low_mask
        eta = carry.look_up(SERVER, w_low) ^ rho[SERVER]
        view.send(SERVER, w_low, f)
        view.send(SERVER, eta, 1)
    opened, masked, kept, indices = [], [], [], []
    for version in range(versions):
        indices.append(index << 1 | version if ring.exact else index)
        opened.append(1 ^ u_top ^ sign.look_up(SERVER, indices[version]) ^ select[version])
        own = u_window - (u_top << window) + carries[version][SERVER]
        own = own + ((1 - 2 * w_top) * wrap[SERVER] << window)
        _, _, alpha0, alpha1 = payloads[version]
        alpha = alpha0[SERVER] + (w_top * alpha1[SERVER] << window)
        key0, key1 = (0, 0) if view.flaw == "no key" else keys[version]
        masked.append((1 - 2 * select[version]) * own - 2 * alpha + key1 - key0)
        fixed = select[version] * own + alpha
        kept += [fixed + keys[version][0], fixed - keys[version][1]]
        view.send(SERVER, opened[version], 1)
        view.send(SERVER, masked[version], size)
    # online, to the server
    which = zero
    if ring.exact:
        answer = carry.look_up(CLIENT, w_low) ^ rho[CLIENT]
        which = eta ^ answer
        view.send(CLIENT, answer, 1)

    def pick(values: list[Array]) -> Array:
        return np.where(which, values[-1], values[0])

    bit = v_top ^ pick([sign.look_up(CLIENT, at) for at in indices]) ^ pick(opened)
    eps = bit ^ e
    x = pick([base + (w_top * step << window) for base, step, _, _ in payloads])
    beta = pick([b0[CLIENT] + (w_top * b1[CLIENT] << window) for _, _, b0, b1 in payloads])
    key = pick([np.where(e, one, none) for none, one in keys])
    next_mask = view.draw_next_mask(size)
    z = bit * x + (1 - 2 * bit) * beta + bit * pick(masked) - (1 - 2 * eps) * key - next_mask
    view.send(CLIENT, z, size if view.with_z else 0)
    view.send(CLIENT, eps, 1)
    return {"versions": kept, "result": [z + next_mask + np.choose(2 * which + eps, kept)]}


def truncate(view: View, ring: Ring, u: int, v: int) -> dict[str, list[Array]]:
    """Section 6; u with the offset and 2^(bits - 2) in it."""
    f, size = ring.truncate_bits, ring.bits
    zero = np.zeros(view.rows.size, WORD)
    u_all, v_all = zero + u, zero + v
    u_top, v_top = u_all >> size - 1, v_all >> size - 1
    kappa = view.draw(SERVER, 1)
    key0, key1 = view.pads(CLIENT, v_top, f)
    tau = key0 + (zero if view.flaw == "no kappa" else kappa) - key1
    view.send(SERVER, tau, f)
    bit = u_top ^ (zero if view.flaw == "no kappa" else kappa)
    carries, which = [{SERVER: zero, CLIENT: zero}], zero
    if ring.exact:
        low_mask, rho = view.draw(SERVER, f), {p: view.draw(p, 1) for p in (SERVER, CLIENT)}
        carry = SharedTable(view, f, ring.digit, low_mask, ~v_all & (1 << f) - 1, zero)
        (gamma,) = product(view, rho[SERVER], [(rho[CLIENT], size)])
        first = {p: rho[p] - 2 * gamma[p] for p in rho}
        carries = [first, {SERVER: 1 - first[SERVER], CLIENT: -first[CLIENT]}]
        w_low = (u_all & (1 << f) - 1) ^ low_mask
        view.send(SERVER, w_low, f)
        eta = carry.look_up(SERVER, w_low) ^ (zero if view.flaw == "no rho" else rho[SERVER])
        view.send(SERVER, eta, 1)
        answer = carry.look_up(CLIENT, w_low) ^ rho[CLIENT]
        view.send(CLIENT, answer, 1)
        which = eta ^ answer
    view.send(SERVER, bit, 1)
    pad = np.where(v_top, key1, key0) + v_top * (tau & (1 << f) - 1)
    next_mask = view.draw_next_mask(size)
    share = np.where(which, carries[-1][CLIENT], carries[0][CLIENT])
    z = (v_all >> f) - (v_top - bit * v_top - (1 - 2 * bit) * pad << size - f) + share - next_mask
    view.send(CLIENT, z, size)
    fixed = (u_all >> f) - (u_top + (1 - 2 * bit) * key0 << size - f) - (1 << size - 2 - f)
    versions = [fixed + share_of[SERVER] for share_of in carries]
    return {"versions": versions, "result": [z + next_mask + np.choose(which, versions)]}


def products(view: View, ring: Ring, versions: list[Array]) -> None:
    """Section 7: opens each version of the server's share, for a product in the same round."""
    shared = view.draw(SERVER, ring.bits) if view.flaw == "one factor" else None
    for version in versions:
        factor = view.draw(SERVER, ring.bits) if shared is None else shared
        view.send(SERVER, version - factor, ring.bits)
