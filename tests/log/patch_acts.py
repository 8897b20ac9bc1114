"""What a program does when it changes a part of something or describes it, one step each, and the lines that leaves."""

from collections.abc import Callable
from dataclasses import replace

from tests.log.acts import NOTE, Act, another_programs, ok, program, without_token
from tests.log.stage import Line, Stage

INSERT = b"INSERT DATA { <#a> <urn:x:b> 1 }"
DELETE = b"DELETE DATA { <#z> <urn:x:b> 1 }"
SPOKEN = {"content-type": "application/sparql-update"}


def patches(path: str, status: int = 204, content: bytes = INSERT, **headers: str) -> Act:
    """A program with An's own credentials changes a part of what it stored before."""

    async def act(stage: Stage) -> None:
        token = await stage.house.jwt()
        await ok(stage.house.call("PUT", path, token, {"content-type": "text/turtle"}, b""), 201, 204)
        await stage.begin()
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        await ok(stage.house.call("PATCH", path, token, SPOKEN | spelled, content), status)

    return act


def cases(
    by_program: Callable[..., Line], anonymous: Callable[..., Line], forbidden: Line
) -> dict[str, list[tuple[Act, list[Line]]]]:
    """Every PATCH, and every write of a description."""
    return {
        "PATCH pods/file": [
            (
                program("PATCH", "/pods/an/public/b.ttl", 201, INSERT, content_type="application/sparql-update"),
                [by_program("append")],
            ),
            (patches("/pods/an/public/b.ttl"), [by_program("read"), by_program("append")]),
            (patches("/pods/an/public/b.ttl", 409, DELETE), [by_program("read")]),
            (
                patches("/pods/an/public/b.ttl", 412, if_match='"other"'),
                [
                    by_program(
                        "append", outcome="refused", count=0, type="denial", decision="denied", rule="precondition"
                    )
                ],
            ),
            (
                another_programs("PATCH", "/pods/an/inbox/b.ttl", content_type="application/sparql-update"),
                [replace(forbidden, action="write")],
            ),
        ],
        "PATCH pods/acl": [
            (
                program("PATCH", "/pods/an/public/.acl", 204, INSERT, content_type="application/sparql-update"),
                [by_program("control", 0)],
            ),
            (
                program("PATCH", "/pods/an/public/.acl", 409, DELETE, content_type="application/sparql-update"),
                [by_program("control", 0)],
            ),
            (another_programs("PATCH", "/pods/an/public/.acl"), [replace(forbidden, action="control")]),
        ],
        **{
            f"PATCH pods/{kind}": [(without_token("PATCH", path), [anonymous(whose="an")])]
            for kind, path in (("root", "/pods/an/"), ("container", "/pods/an/public/"))
        },
        "PUT pods/meta": [
            (program("PUT", f"{NOTE}.meta", 201, b"", content_type="text/turtle"), [by_program("write")]),
            (
                another_programs("PUT", "/pods/an/inbox/.meta", content_type="text/turtle"),
                [replace(forbidden, action="write")],
            ),
        ],
        "PATCH pods/meta": [
            (
                program("PATCH", f"{NOTE}.meta", 201, INSERT, content_type="application/sparql-update"),
                [by_program("append")],
            ),
            (without_token("PATCH", f"{NOTE}.meta"), [anonymous(whose="an")]),
        ],
        "DELETE pods/meta": [
            (
                program("DELETE", f"{NOTE}.meta", 404),
                [by_program("delete", outcome="refused", count=0, type="denial", decision="denied", rule="gone")],
            ),
            (without_token("DELETE", f"{NOTE}.meta"), [anonymous(whose="an")]),
        ],
    }
