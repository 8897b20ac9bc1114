"""Every requirement of the Solid specifications that this house answers for, and where it stands.

A line is `id level`, or `id level status: why` for what is not `done`. Ids of the Solid Protocol and of Web Access
Control are those of the specifications; a topic without one of its own bears a name in the same style. Each `done` id
has exactly one test with `@shows(id)` (test_requirements.py), which speaks HTTP to a house as a client would.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pytest

Status = Literal["done", "not done", "not applicable"]

PROTOCOL = """
server-http MUST
server-tls-https SHOULD not applicable: TLS ends in the proxy in front; with an https base the process hears no http
server-unauthenticated MUST
server-content-type-includes MUST
server-content-type-missing MUST
server-uri-trailing-slash-distinct MUST
server-storage MUST
server-storage-nonoverlapping MUST
server-link-storage MUST
server-storage-description MUST
server-storage-description-resource MUST
server-storage-track-owner MUST
server-storage-link-owner MUST
server-basic-container MUST
server-contained-resource-metadata SHOULD
server-auxiliary-resources-management MUST
server-link-auxiliary-type MUST
server-description-resource-max MUST
server-description-resource-authorization MUST
server-method-not-allowed MUST
server-safe-methods MUST
server-allow-methods MUST
server-accept-headers MUST
server-put-patch-intermediate-containers MUST
server-put-patch-uri-assignment MUST
server-post-container MUST
server-post-uri-assignment MUST
server-post-target-not-found MUST
server-post-slug-auxiliary-resource MUST
server-put-patch-auxiliary-resource MUST
server-protect-containment MUST
server-protect-contained-resource-metadata MUST
server-etag MAY
server-conditional-requests MUST
server-patch-n3-accept MUST
server-patch-n3-advertise MUST
server-patch-n3-patches MUST
server-patch-n3-single MUST
server-patch-n3-type MUST
server-patch-n3-inserts MUST
server-patch-n3-deletes MUST
server-patch-n3-where MUST
server-patch-n3-formulae MUST
server-patch-n3-variables MUST
server-patch-n3-blank-nodes MUST
server-patch-n3-invalid MUST
server-n3-patch-where MUST
server-n3-patch-insert MUST
server-n3-patch-delete MUST
server-patch-n3-semantics MUST
server-patch-n3-semantics-no-mapping MUST
server-patch-n3-semantics-deletions-non-empty-all-triples MUST
server-delete-protect-root-container MUST
server-delete-remove-containment MUST
server-delete-remove-auxiliary-resource MUST
server-delete-remove-empty-container MUST
server-delete-protect-nonempty-container MUST
server-representation-turtle-jsonld MUST
server-representation-write-redirect MUST not applicable: a representation has no URL of its own here
server-ldn MUST
server-notifications-protocol-resource-server MUST
server-notifications-protocol-subscription-server MUST
server-notifications-protocol-notification-sender MUST
server-notifications-protocol-notification-receiver MUST not applicable: this server subscribes to nobody
server-cors MUST
server-cors-access-control-headers MUST
server-cors-enumerate SHOULD
server-cors-accept-acah SHOULD
server-wac-acp MUST
quota practice
server-range-requests MAY
server-options-asterisk practice
well-known-solid practice
"""

WAC = """
server-link-acl MUST
server-resource-acl-max MUST
server-get-acl-turtle MUST
server-get-acl-without-representation MUST
server-acl-without-representation MUST
server-root-container-acl MUST
server-root-container-acl-authorization-control MUST
effective-acl MUST
applicable-authorization MUST
server-read-operation MUST
server-create-operation MUST
server-update-operation MUST
server-delete-operation MUST
server-control-operation MUST
server-condition-evaluation MUST
server-condition-conjunctive MUST
server-link-condition MUST
server-wac-allow MUST
server-cors-aceh-wac-allow MUST
acl-origin MAY
"""

ACP = """
acp-acr-link MUST
acp-acr-type-link MUST
acp-acr-options MUST
acp-member-access-control MUST
acp-deny-wins MUST
acp-matchers MUST
acp-named-agents MUST
acp-exact-modes MUST
"""

OIDC = """
oidc-client-id-document SHOULD
oidc-dynamic-registration MAY
oidc-webid-issuer MUST
oidc-code-pkce-iss MUST
oidc-dpop-id-token MUST
oidc-resource-server MUST
oidc-uma SHOULD not done: programs show their DPoP token to the server itself, as every client in the field does
oidc-client-credentials SHOULD
oidc-conformance MUST
oidc-dpop-algs practice
"""

NOTIFICATIONS = """
notifications-description MUST
notifications-subscription-methods MUST
notifications-json-ld MUST
notifications-unsupported-profile MUST
notifications-bad-instruction MUST
notifications-authorization MUST
notifications-message MUST
notifications-websocket-channel-2023 practice
notifications-webhook-channel-2023 practice
notifications-streaming-http-channel-2023 practice
notifications-event-source-channel-2023 practice not done: the streaming channel does the same for every client
notifications-ldn-channel-2023 practice not done: a webhook reaches the same receivers, signed
notifications-web-push-channel-2023 practice not done: it would tell a push service of others who is notified when
notifications-features MAY
notifications-revocation practice
"""

PROFILE = """
webid-document MUST
webid-profile MUST
type-indexes practice
sai practice not applicable: its words may say what an app needs; its interface is not offered
lws practice
"""

SECTIONS = {
    "Solid Protocol": PROTOCOL,
    "Web Access Control": WAC,
    "Access Control Policy": ACP,
    "Solid-OIDC": OIDC,
    "Notifications": NOTIFICATIONS,
    "Profile and others": PROFILE,
}


@dataclass(frozen=True)
class Requirement:
    """One requirement; `why` says what stands in for it when it is not done."""

    id: str
    section: str
    level: str
    status: Status = "done"
    why: str = ""


def _read(section: str, line: str) -> Requirement:
    name, level, *rest = line.split(" ", 2)
    if not rest:
        return Requirement(name, section, level)
    status, _, why = rest[0].partition(": ")
    (known,) = (one for one in get_args(Status) if one == status)
    return Requirement(name, section, level, known, why)


TABLE = tuple(_read(section, line) for section, text in SECTIONS.items() for line in text.split("\n") if line)


def shows(name: str) -> Callable[[Any], Any]:
    """Mark a test as the one that shows a requirement."""
    return pytest.mark.requirement(name)
