"""Pages in a real browser as `web.pages.views` renders them, in every state that a sample or a door can bring about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Page, Route

from tests.web.pages_sample import SAMPLES
from web.pages import views
from web.pages.door import Door

ADDRESS = "http://kluis.test/"
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
DOORS = (
    Door(),
    Door("{}", needed=True, again=True, failed="explicit", user="an"),
    Door(needed=True, failed="passkey", user="an"),
    Door(again=True, failed="again", user="an"),
)
OFFICES = ("dpo", "touched")


def states(name: str) -> list[str]:
    """The HTML of every state of a page."""
    role = "dpo" if name in OFFICES else "citizen"
    doors = DOORS if name in ("consent", "work") else DOORS[:1]
    frame = {"person": "An Peeters", "user": "an", "role": role, "csrf": "tok"}
    return [views.render(name, one, door, **frame) for one in SAMPLES[name] for door in doors]


@contextmanager
def gallery(
    chromium: Browser, width: int, height: int, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Callable[[str], Page]]:
    """What shows a document in a window of this size."""
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale="nl-BE")
    page, shown = context.new_page(), {"html": ""}

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ADDRESS)
        if path.startswith("static/"):
            file = views.STATIC / path.removeprefix("static/")
            route.fulfill(path=file, content_type=TYPES[file.suffix[1:]])
        else:
            route.fulfill(body=shown["html"], content_type="text/html; charset=utf-8")

    def show(html: str) -> Page:
        shown["html"] = html
        page.goto(ADDRESS)
        return page

    page.route("**/*", serve)
    yield show
    context.close()
