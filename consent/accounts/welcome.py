"""What a new pod starts with: a WebID profile that says where the storage is and no more, and who may do what.

Public by default are the two containers that exist to be public; the profile holds no name (GDPR 25: nothing is
shared until its citizen shares it).
"""

from typing import Final

from consent.categories import CATEGORIES
from consent.purposes import PD
from vault.pod import Blueprint
from vault.solid.access import Language, read_document
from vault.solid.acr import write_acr

TURTLE: Final = "text/turtle"
SEALED: Final = {
    c.container.rstrip("/"): c.curie for c in CATEGORIES.values() if c.custody == "sealed" and not c.special
}
"""What a new pod has: a special category gets its compartment when its citizen first decides about it."""

_CARD = """\
@prefix foaf: <http://xmlns.com/foaf/0.1/>.
@prefix ldp: <http://www.w3.org/ns/ldp#>.
@prefix pim: <http://www.w3.org/ns/pim/space#>.
@prefix solid: <http://www.w3.org/ns/solid/terms#>.

<> a foaf:PersonalProfileDocument; foaf:maker <{root}profile/card#me>; foaf:primaryTopic <{root}profile/card#me>.
<{root}profile/card#me> a foaf:Person;
    solid:oidcIssuer <{issuer}>;
    pim:storage <{root}>;
    pim:preferencesFile <{root}settings/prefs.ttl>;
    ldp:inbox <{root}inbox/>;
    solid:publicTypeIndex <{root}profile/publicTypeIndex.ttl>.
"""
_PREFERENCES = """\
@prefix solid: <http://www.w3.org/ns/solid/terms#>.

<> a <http://www.w3.org/ns/pim/space#ConfigurationFile>.
<{root}profile/card#me> solid:privateTypeIndex <{root}settings/privateTypeIndex.ttl>.
"""
_INDEX = """\
@prefix solid: <http://www.w3.org/ns/solid/terms#>.

<> a solid:TypeIndex, solid:{listed}.
"""
_REGISTERED = "<#{name}> a solid:TypeRegistration; solid:forClass <{kind}>; solid:instanceContainer <{place}>.\n"
_PREFIXES: Final = {"kluis": "urn:kluis:ns:", "pd": PD}
_OWNER = """\
@prefix acl: <http://www.w3.org/ns/auth/acl#>.
@prefix foaf: <http://xmlns.com/foaf/0.1/>.

<#owner> a acl:Authorization;
    acl:agent <{root}profile/card#me>;
    acl:accessTo <{here}>;
    acl:default <{here}>;
    acl:mode acl:Read, acl:Write, acl:Control.
"""
_PUBLIC = """\
<#public> a acl:Authorization;
    acl:agentClass foaf:Agent;
    acl:accessTo <{here}>;
    acl:default <{here}>;
    acl:mode acl:Read.
"""


def storage(base: str, pod: str) -> str:
    """The address of a pod's root container."""
    return f"{base}/pods/{pod}/"


def webid(base: str, pod: str) -> str:
    """The WebID of the citizen of a pod."""
    return storage(base, pod) + "profile/card#me"


def blueprint(base: str, pod: str, language: Language = "wac") -> Blueprint:
    """A citizen's new pod: its sealed compartments, profile, preferences, type indexes and their access documents."""
    root = storage(base, pod)
    texts = {
        "/profile/card": _CARD.format(root=root, issuer=base),
        "/profile/publicTypeIndex.ttl": _INDEX.format(listed="ListedDocument"),
        "/settings/privateTypeIndex.ttl": _INDEX.format(listed="UnlistedDocument") + _registered(root),
        "/settings/prefs.ttl": _PREFERENCES.format(root=root),
    }
    rules = {"/": _OWNER, "/profile/": _OWNER + _PUBLIC, "/public/": _OWNER + _PUBLIC}
    return Blueprint(
        sealed=dict(SEALED),
        resources=tuple((path, TURTLE, text.encode()) for path, text in texts.items()),
        acls=tuple((path, _access(text, root, root + path[1:], language)) for path, text in rules.items()),
    )


def _access(text: str, root: str, here: str, language: Language) -> bytes:
    """The access document of the container `here`. What is for everybody is for everybody in either language."""
    written = text.format(root=root, here=here).encode()
    document = read_document(written, here)
    return written if language == "wac" else write_acr(document.own, document.below, here, alone=False)


def _registered(root: str) -> str:
    """Where the records of each category lie that a new pod has: the same for every pod, so it tells nothing."""
    kinds = ((name, *curie.split(":")) for name, curie in SEALED.items())
    return "".join(
        _REGISTERED.format(name=name, kind=_PREFIXES[prefix] + term, place=f"{root}{name}/")
        for name, prefix, term in kinds
    )
