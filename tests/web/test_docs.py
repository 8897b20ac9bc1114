"""`/docs` holds under our own policy: nothing from another host, no script, every operation listed."""

import re

from tests.conftest import BASE
from tests.house import Household


async def test_the_interface_is_told_without_a_script_or_a_foreign_host(house: Household) -> None:
    page = await house.call("GET", "/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"style-src {BASE}/static/" in page.headers["content-security-policy"]
    assert "<script" not in page.text and "style=" not in page.text and "<style" not in page.text
    links = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert links and all(re.match(r"/(?!/)", link) for link in links)
    assert "//" not in re.sub(r"<code>[^<]*</code>", "", page.text)
    for link in links:
        assert (await house.call("GET", link)).status_code == 200


async def test_every_operation_of_the_openapi_document_stands_on_the_page(house: Household) -> None:
    page = (await house.call("GET", "/docs")).text
    paths = (await house.call("GET", "/openapi.json")).json()["paths"]
    listed = re.findall(r"<h2><code>(\w+) ([^<]+)</code></h2>", page)
    assert sorted(listed) == sorted((method.upper(), path) for path, one in paths.items() for method in one)
    assert ("GET", "/api/records") in listed
    assert "<code>category</code> in the query</li>" in page
