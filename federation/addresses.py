"""Which network addresses another server may have: global unicast and nothing else.

The list follows the IANA special-purpose registries. IPv6 is an allow-list (2000::/3 less its special parts), so every
way to write an IPv4 address inside IPv6 (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is refused.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_SPECIAL_V4 = [
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",  # looks public, yet is the host's own agent inside one large cloud
    )
]
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = [IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def is_global(address: str) -> bool:
    """Whether a numeric address is global unicast. A zone (`fe80::1%eth0`) or anything unreadable is not."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in block for block in _SPECIAL_V4)
    if found.scope_id is not None:
        return False
    return found in _GLOBAL_V6 and not any(found in block for block in _SPECIAL_V6)


def is_loopback(address: str) -> bool:
    """Whether a numeric address is this machine's own: 127.0.0.0/8 or ::1."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
