"""How much one address may ask for: token buckets, with a bound on how many are kept."""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final

IPV6_SITE_BITS: Final = 64
"""What one subscriber of IPv6 gets; its single addresses cost nothing."""


class TokenBuckets:
    """One bucket a key: `burst` at once, `rate` a second on average. Times are monotonic seconds.

    At most `capacity` keys are remembered; the one unused for longest goes first, and a key that
    is not remembered has a full bucket.
    """

    def __init__(self, rate: float, burst: int, capacity: int) -> None:
        self._rate, self._burst, self._capacity = rate, float(burst), capacity
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def has(self, key: str, now: float) -> bool:
        """Whether there is at least one token."""
        return self._level(key, now) >= 1.0

    def take(self, key: str, now: float) -> bool:
        """Take one token; false, and nothing taken, if there is none."""
        level = self._level(key, now)
        taken = level >= 1.0
        self._buckets[key] = (level - 1.0 if taken else level, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return taken

    def _level(self, key: str, now: float) -> float:
        level, since = self._buckets.get(key, (self._burst, now))
        return min(self._burst, level + max(0.0, now - since) * self._rate)


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """The key under which an address is counted: itself, or its /64 in IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_SITE_BITS), strict=False))
