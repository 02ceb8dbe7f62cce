"""Who is calling: the peer itself, unless the peer is one of our own proxies and says for whom it calls."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(maxsize=4096)  # most deliveries come from a few senders
def parse(text: str) -> Address | None:
    """An address in its plain form: IPv4 that came in IPv6 clothes (::ffff:1.2.3.4) is IPv4."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # the zone (%eth0) is of no interest
    return address


def sender(address: Address) -> Address | IPv6Network:
    """Who counts as one: of IPv6 a /64, because whoever has one address there has all of them."""
    return IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address


def within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def peer(transport: asyncio.BaseTransport | None) -> Address:
    """Who is at the other end of a connection; of a closed or local one nobody's address, which is in nobody's list."""
    name = transport.get_extra_info("peername") if transport else None
    return (parse(name[0]) if name else None) or IPv4Address(0)


def caller(request: web.Request, proxies: Sequence[Network]) -> Address:
    """The nearest address that is not a proxy of ours. X-Forwarded-For is read from its end, where our proxies write;
    what stands further left was written by the caller and is a claim like any other."""
    address = peer(request.transport)
    claimed = ",".join(request.headers.getall("X-Forwarded-For", []))
    for text in reversed(claimed.split(",")):
        if not within(address, proxies):
            break
        further = parse(text)
        if further is None:
            break
        address = further
    return address
