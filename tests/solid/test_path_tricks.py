"""Path tricks: however a name is spelled, it is that name or none; never another resource, never a server error."""

from collections.abc import Iterator

import pytest

from tests.browser.town import Town
from tests.house import Household
from tests.proof import figure
from tests.solid.client import PUBLIC, TEXT, TURTLE, Agent, acl
from tests.solid.raw import asgi, statuses, wire
from vault.tables import Resource

SECRET = b"s3cr3t"
METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
UPS = (b"..", b"%2e%2e", b"%2E.", b".%2e", b"%252e%252e", b"%25252e%25252e", b"%c0%ae%c0%ae", b"%e0%80%ae%e0%80%ae",
       "．．".encode(), b"%ef%bc%8e%ef%bc%8e", b"..;", b"..;x=1", b"%2e%2e;", b"...", b"..%20", b"..%00", b"..%09",
       b"..%0d%0a", b"%u002e%u002e", b".%00.")  # fmt: skip
SLASHES = (b"/", b"%2f", b"%2F", b"%5c", b"\\", b"%252f", b"%25252f", b"%c0%af", b"%e0%80%af", "／".encode(),
           b"%ef%bc%8f", "∕".encode(), b"//", b"/./", b"/%2e/", b"%2f%2f")  # fmt: skip
OTHERS = (
    b"public/../settings/secret?x", b"public/a?/../../settings/secret", b"public/a;/../../settings/secret",
    b"public/a#/../settings/secret", b"public/" + b"a/" * 4000, b"public/" + b"a" * 70_000, b"public/%ff",
    b"public/\xff", b"public/%00", b"public/a%00.txt", b"public/%zz",
    b"public/%", b"public/a\x01b", b"public/\x7f", b"public//",
    b"/settings/secret", b"./settings/secret", b"%2e/settings/secret", b"SETTINGS/secret", b"Settings/secret",
    b"settings./secret", b"settings%20/secret", b"settings;x/secret", b"settings/secret%2f", b"settings/secret/",
    b"settings/secret.", b"settings/secret%20", b"settings/secret;x", b"settings/secret%00", b"settings/secret/.",
    b"settings/secret/..%2fsecret", b"settings/secret.acl", b"settings/secret%2eacl", b"settings/secret.ACL",
    b"settings/secret.acl/", b"settings/secret.acl%00", b"settings/secret.acl;x", b"settings/secret.acl%20",
    b"settings/secret.acl.acl", b"settings/secret.acl.meta", b"settings/secret.meta", b"settings/secret.meta.acl",
    b"settings/.acl", b"settings/%2eacl", b"settings/.ACL", b".acl", b".meta", b"%2e%61cl", b"public/.acl/../../.acl",
    b"public/.meta/x", b"public/a.acl/x", b"settings%2fsecret", b"settings%2Fsecret", b"settings%252fsecret",
    "public/e\u0301".encode(), "public/é".encode(), b"public/\xe2\x80\xa8${jndi:x}", b"public/..%c1%9csettings",
)  # fmt: skip
RELATIVE = tuple(b"public" + slash + up + slash + b"settings" + slash + b"secret" for up in UPS for slash in SLASHES)


def targets(pod: bytes) -> list[bytes]:
    """Every trick as a request target, and the same with the pod itself spelled oddly."""
    tricks = [b"/pods/" + pod + b"/" + one for one in (*RELATIVE, *OTHERS)]
    odd = (b"/pods/%s", b"/pods//%s/settings/secret", b"//pods/%s/settings/secret", b"/pods/./%s/settings/secret",
           b"/pods/x/../%s/settings/secret", b"/pods/%s%%2fsettings%%2fsecret", b"/Pods/%s/settings/secret",
           b"/pods%%2f%s/settings/secret", b"/pods/%s;x/settings/secret", b"/%%70ods/%s/settings/secret",
           b"/pods/%s%%00/settings/secret", b"/pods/%s./settings/secret")  # fmt: skip
    return tricks + [one % pod for one in odd] + [b"*", b"", b"/pods", b"/pods/", b"pods/" + pod + b"/settings/secret"]


def others(house: Household) -> list[Resource]:
    """Every stored resource outside public/."""
    public = house.session.pod.compartment("public")
    return [row for row in house.vault.db.read.find(Resource) if row.compartment != public]


@pytest.fixture
async def opened(an: Agent) -> Household:
    """A house where everybody may do everything in public/ and nothing in settings/, which holds a secret."""
    assert (await an("PUT", "settings/secret", SECRET, TEXT)).status_code == 201
    every = acl("public/", PUBLIC + "Read, acl:Write, acl:Control")
    assert (await an("PUT", "public/.acl", every, TURTLE)).status_code == 204
    return an.house


async def test_no_spelling_of_a_path_reaches_another_resource_or_breaks_the_server(opened: Household) -> None:
    before, wrong, tried = others(opened), [], 0
    for target in targets(b"an"):
        for method in METHODS:
            body = b"<> <urn:e:b> 1 ." if method in {"PUT", "POST", "PATCH"} else b""
            said = await asgi(opened, method, target, [(b"content-type", b"text/turtle")], body)
            tried += 1
            if said.status >= 500 or SECRET in said.body:
                wrong.append((method, target[:80], said.status))
    wrong += [("changed", b"", 0)] * (others(opened) != before)
    figure("SP1", len(wrong), tried)
    assert wrong == []
    assert tried > 3000


NAMES = (b"x%2Fy", b"x;y", b"X;y", b"x;y.", b"x;y%20", "é".encode(), "e\u0301".encode(), b"%25", b"%2525", b"x%3Fy",
         b"x%23y", b"x&y", b"x=y", b"x+y", b"x%2By", b"x%20y", b"con", b"x:y", b"x%3Ay", b"~x", b"x%7Cy")  # fmt: skip


async def test_names_that_look_alike_are_names_of_their_own(opened: Household) -> None:
    for name in NAMES:
        text = [(b"content-type", b"text/plain")]
        assert (await asgi(opened, "PUT", b"/pods/an/public/" + name, text, b"it is " + name)).status == 201, name
    for name in NAMES:
        assert (await asgi(opened, "GET", b"/pods/an/public/" + name)).body == b"it is " + name
    for spelled in (b"%78;y", b"x;%79", b"%58;y", b"%7ex", b"%63%6F%6e"):
        assert (await asgi(opened, "GET", b"/pods/an/public/" + spelled)).status == 200, spelled


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    running = Town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


@pytest.mark.enable_socket
def test_no_request_target_on_the_wire_reaches_a_private_resource_or_breaks_the_server(town: Town) -> None:
    who, host = town.newcomer().user.encode(), town.base.partition("//")[2].encode()
    whole = [b"http://" + host + b"/pods/%s/settings/prefs.ttl", b"http://evil.example/pods/%s/settings/prefs.ttl",
             b"HTTP://" + host + b"/pods/%s/settings/prefs.ttl", host + b"/pods/%s/settings/prefs.ttl",
             b"http:///pods/%s/settings/prefs.ttl", b"?/pods/%s/settings/prefs.ttl",
             b"/pods/%s/settings/prefs.ttl HTTP/1.1"]  # fmt: skip
    tricks = [one for one in targets(who) if not {*b" \x01\x7f"} & {*one}] + [one % who for one in whole]
    wrong = []
    for number, target in enumerate(tricks):
        method = METHODS[number % len(METHODS)].encode()
        asked = b"%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (method, target, host)
        answer, closed = wire(town.base, asked)
        found = statuses(answer)
        if (
            not closed
            or any(one >= 500 and one != 501 for one in found)
            or len(found) > 1
            or b"ConfigurationFile" in answer
        ):
            wrong.append((method, target[:80], found, closed))
    figure("SP2", len(wrong), len(tricks))
    assert wrong == []
