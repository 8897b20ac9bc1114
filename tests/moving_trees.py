"""Folders as Community Solid Server 7 and Node Solid Server 5 keep them, made from facts of their formats."""

import json
import os
from pathlib import Path

CSS = "https://oud.example/"
ACL = "http://www.w3.org/ns/auth/acl#"
FOAF = "http://xmlns.com/foaf/0.1/"
MODES = {"r": "acl:Read", "w": "acl:Write", "a": "acl:Append", "c": "acl:Control"}
BINARY = bytes(range(256)) * 4
FILES: dict[str, bytes] = {
    "README$.md": b"# Hallo\n",
    "notes/dag$.txt": b"lief dagboek\r\n",
    "notes/foto.png": b"\x89PNG\r\n" + BINARY,
    "notes/lijst.ttl": b"@prefix : <#>.\n:a :b <../profile/card#me>, <https://oud.example/ben/x> .\n",
    "notes/r\u00e9sum\u00e9 (1).txt": b"naam met tekens",
    "notes/a%2Fb$.json": b'{"a": 1}',
    "loans/een.jsonld": b'{"@id": "#a", "http://schema.org/name": "Dune"}',
    "data/raar$.unknown": b"\x00\x01anders",
}


def rule(name: str, who: str, modes: str, to: str, *, default: bool = False) -> str:
    """One authorization; `who` is a WebID, "public" or "group:IRI"."""
    agent = "acl:agentClass foaf:Agent" if who == "public" else f"acl:agent <{who}>"
    if who.startswith("group:"):
        agent = f"acl:agentGroup <{who[6:]}>"
    inherits = f"acl:default <{to}>; " if default else ""
    told = ", ".join(MODES[mode] for mode in modes)
    return f"<#{name}> a acl:Authorization; {agent}; acl:accessTo <{to}>; {inherits}acl:mode {told}.\n"


def acl(*rules: str) -> bytes:
    """An access list."""
    return f"@prefix acl: <{ACL}>.\n@prefix foaf: <{FOAF}>.\n{''.join(rules)}".encode()


def card(webid: str, storage: str, issuer: str, name: str) -> bytes:
    """A profile as such a server makes it."""
    return (
        f"@prefix foaf: <{FOAF}>.\n@prefix solid: <http://www.w3.org/ns/solid/terms#>.\n"
        f"@prefix pim: <http://www.w3.org/ns/pim/space#>.\n"
        f"<> a foaf:PersonalProfileDocument; foaf:maker <{webid}>; foaf:primaryTopic <{webid}>.\n"
        f'<{webid}> foaf:name "{name}"; solid:oidcIssuer <{issuer}>; pim:storage <{storage}>; '
        f"foaf:knows <https://elders.example/zoe#me>, <{CSS}ben/profile/card#me>; a foaf:Person.\n"
    ).encode()


def put(root: Path, name: str, body: bytes) -> None:
    """Write one file with the folders above it."""
    there = root / name
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(body)


def css_pod(root: Path, name: str, files: dict[str, bytes], base: str = CSS) -> None:
    """One pod of a CSS tree: profile, access lists, a description, and these files."""
    pod, webid = root / name, f"{base}{name}/profile/card#me"
    put(pod, ".meta", b"@prefix pim: <http://www.w3.org/ns/pim/space#>.\n<> a pim:Storage.\n")
    put(pod, ".acl", acl(rule("public", "public", "r", "./"), rule("owner", webid, "rwc", "./", default=True)))
    put(pod, "profile/card$.ttl", card(webid, f"{base}{name}/", base, name))
    put(pod, "profile/card.acl", acl(rule("p", "public", "r", "./card"), rule("o", webid, "rwc", "./card")))
    for path, body in files.items():
        put(pod, path, body)


def css_accounts(root: Path, names: list[str], base: str = CSS) -> None:
    """The accounts of a CSS tree, with password hashes that nobody should want."""
    for number, name in enumerate(names):
        ident = f"00000000-0000-4000-8000-{number:012d}"
        webid = f"{base}{name}/profile/card#me"
        told = {
            "linkedLoginsCount": 1, "id": ident,
            "**password**": {"p": {"accountId": ident, "email": f"{name}@oud.example", "password": "$2a$10$geheim",
                                   "verified": True, "id": "p"}},
            "**webIdLink**": {"w": {"webId": webid, "accountId": ident, "id": "w"}},
            "**pod**": {"d": {"baseUrl": f"{base}{name}/", "accountId": ident, "id": "d",
                              "**owner**": {"o": {"podId": "d", "webId": webid, "visible": False, "id": "o"}}}},
        }  # fmt: skip
        entry = {"key": f"accounts/data/{ident}", "payload": told}
        put(root, f".internal/accounts/data/{ident}$.json", json.dumps(entry).encode())


def css(root: Path) -> Path:
    """A small CSS tree: an and ben, with everything that is strange about such trees."""
    files = dict(FILES)
    files["data/raar$.unknown.meta"] = b""
    del files["data/raar$.unknown.meta"]
    files["data/raar.meta"] = (
        f'<{CSS}anna/data/raar> <http://www.w3.org/ns/ma-ont#format> "application/x-raar"; '
        f'<http://purl.org/dc/terms/title> "Raar".\n'
    ).encode()
    ben, zoe = f"{CSS}ben/profile/card#me", "https://elders.example/zoe#me"
    own = rule("o", f"{CSS}anna/profile/card#me", "rwc", "./", default=True)
    files["notes/.acl"] = acl(own, rule("ben", ben, "r", "./", default=True), rule("zoe", zoe, "r", "./", default=True))
    files["loans/.acl"] = acl(own, rule("ben", ben, "r", "./", default=True))
    files["data/.acl"] = b"this is no turtle"
    put(root, ".acl", acl(rule("public", "public", "rwc", "./", default=True)))
    css_pod(root, "anna", files)
    css_pod(root, "ben", {"kort$.txt": b"kort"})
    css_accounts(root, ["anna", "ben"])
    return root


def nss(root: Path) -> Path:
    """A small NSS tree: the host of the server and one person's."""
    host, webid = root / "data" / "carla.oud.example", "https://carla.oud.example:8443/profile/card#me"
    put(root, "config.json", b'{"serverUri": "https://oud.example:8443"}')
    put(root, "data/oud.example/index.html", b"<p>server</p>")
    put(root, ".db/oidc/users/users/_key_x.json", b'{"hashedPassword": "$2a$10$geheim"}')
    everything = rule("owner", webid, "rwc", "/", default=True)
    put(host, ".acl", acl(rule("public", "public", "r", "/"), everything))
    put(host, ".meta", f"<{webid}> <http://www.w3.org/ns/solid/terms#account> </>.\n".encode())
    put(host, ".meta.acl", acl(rule("owner", webid, "rwc", "./.meta")))
    put(host, "favicon.ico", BINARY)
    put(host, "profile/card$.ttl", card(webid, "/", "https://oud.example:8443", "Carla"))
    put(host, "profile/.acl", acl(rule("o", webid, "rwc", "./", default=True),
                                  rule("p", "public", "r", "./", default=True)))  # fmt: skip
    put(host, "public/.acl", acl(rule("o", webid, "rwc", "./").replace("acl:mode", "acl:defaultForNew <./>; acl:mode")))
    put(host, "public/een$.html", b"<p>een</p>")
    put(host, "settings/.acl", acl(rule("o", webid, "rwc", "./", default=True)))
    put(host, "settings/prefs.ttl", b"<> a <http://www.w3.org/ns/pim/space#ConfigurationFile>.\n")
    put(host, "settings/serverSide.ttl", b'</> <http://www.w3.org/ns/solid/terms#storageQuota> "25000000".\n')
    return root


def many(root: Path, count: int) -> Path:
    """A CSS tree of many pods, each with a profile, two access lists, a description and eight small resources."""
    names = [f"burger{number}" for number in range(count)]
    small = {f"notes/n{n}.ttl": f'<#a> <http://schema.org/name> "{n}".\n'.encode() * 5 for n in range(4)}
    small |= {f"foto/f{n}.jpg": os.urandom(2000) for n in range(3)} | {"leesmij$.txt": b"x" * 300}
    for name in names:
        css_pod(root, name, small)
    css_accounts(root, names)
    return root
