"""Three readers of claims that share no code with the writer of the log, nor with each other.

Go's own tlog and note packages; pymerkle, with signatures by OpenSSL; the functions of the shipped verify.js in
Chromium, which has nothing but WebCrypto.
"""

import os
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.verifiers.claims import Claim

if TYPE_CHECKING:
    from playwright.sync_api import Route

HERE = Path(__file__).parent
GOPATH = Path("/usr/share/gocode")
STATIC = HERE.parents[1] / "web" / "pages" / "static"
SCRIPTS = {f"/{path.name}": path for path in STATIC.glob("*.js")}
PAGE = "http://localhost/claims"


class Absent(Exception):
    """A program that is needed here is not installed; the message names its package."""


def build(folder: Path) -> Path:
    """The Go verifier, compiled. Raises Absent."""
    if shutil.which("go") is None:
        raise Absent("go is not installed (apt-get install golang-go)")
    if not (GOPATH / "src/golang.org/x/mod/sumdb").is_dir():
        raise Absent("golang.org/x/mod is not installed (apt-get install golang-golang-x-mod-dev)")
    made = folder / "verifier"
    own = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", str(made), "."], cwd=HERE, env=os.environ | own, check=True, timeout=300)
    return made


def by_go(program: Path, lines: Sequence[str]) -> list[str]:
    """The answer to each line, all by one process."""
    done = subprocess.run(
        [str(program)], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=600
    )
    return done.stdout.splitlines()


class Merkle:
    """What pymerkle says of claims, under checkpoints whose signatures hold.

    Audit paths are checked as they are. Its proofs of growth have another form than those of RFC 6962, so whether one
    tree begins with the other it tells from a tree of its own, made of the published entries.
    """

    def __init__(self, logs: dict[str, Sequence[bytes]]) -> None:
        from pymerkle import InmemoryTree

        self._trees = {origin: InmemoryTree(algorithm="sha256") for origin in logs}
        for origin, leaves in logs.items():
            self._trees[origin].append_entries(leaves)

    def __call__(self, claim: Claim) -> str:
        """The answer to one claim."""
        from pymerkle import verify_inclusion
        from pymerkle.proof import InclusionProof, InvalidProof

        try:
            (size, root), (older, beginning) = _checkpoint(claim, claim.note), _checkpoint(claim, claim.old)
            leaf, at, tree = sha256(b"\0" + claim.leaf).digest(), claim.index + 1, self._trees[claim.origin]
            inside = InclusionProof("sha256", True, size, at, _turns(at, size), [leaf, *claim.proof])
            verify_inclusion(leaf, root, inside, index=at, size=size, algorithm="sha256")
            if not 0 < older <= size or tree.get_root(older) != beginning or tree.get_root(size) != root:
                raise ValueError("not one tree that grew")
        except (InvalidProof, InvalidSignature, ValueError, KeyError) as refused:
            return f"refused: {refused}"
        return "ok"


def _turns(index: int, size: int) -> list[int]:
    """The turns that a place implies. pymerkle works them out again and compares: no proof can choose them."""
    from pymerkle.core import _inclusion_path_layout

    if not 0 < index <= size:
        raise ValueError("no such entry")
    turns: list[int] = _inclusion_path_layout(index, size)[0]
    return turns


def _checkpoint(claim: Claim, note: str) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint. Raises ValueError or InvalidSignature."""
    name, key_id, key = claim.vkey.split("+", 2)
    public = b64decode(key)
    if name != claim.origin or sha256(name.encode() + b"\n" + public).hexdigest()[:8] != key_id:
        raise ValueError("another log's key")
    text, _, block = note.partition("\n\n")
    blobs = [b64decode(line.split(" ")[2]) for line in block.splitlines() if line.startswith(f"\u2014 {name} ")]
    known = [blob[4:] for blob in blobs if blob[:4].hex() == key_id]
    if not known:
        raise ValueError("not signed")
    for signature in known:
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, f"{text}\n".encode())
    origin, size, root = text.split("\n")
    if origin != name:
        raise ValueError("another log's checkpoint")
    return int(size), b64decode(root)


JUDGE = """
async (claims) => {
  const { openSeal, included, consistent } = await import("/verify.js");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const hash = async (leaf) => {
    const marked = new Uint8Array(leaf.length + 1);
    marked.set(leaf, 1);
    return new Uint8Array(await crypto.subtle.digest("SHA-256", marked));
  };
  const judge = async ({ vkey, origin, note, leaf, index, proof, old, tree }) => {
    try {
      const seal = await openSeal(note, vkey, origin), before = await openSeal(old, vkey, origin);
      if (before.size < 1 || before.size > seal.size) return "refused: shrunk";
      if (!(await included(await hash(bytes(leaf)), index, seal.size, proof.map(bytes), seal.root))) {
        return "refused: not inside";
      }
      const grown = await consistent(before.size, before.root, seal.size, seal.root, tree.map(bytes));
      return grown ? "ok" : "refused: not its beginning";
    } catch (error) {
      return `refused: ${error.reason ?? "?"}`;
    }
  };
  const answers = [];
  for (const claim of claims) answers.push(await judge(JSON.parse(claim)));
  return answers;
}
"""


def by_webcrypto(claims: Sequence[Claim]) -> list[str]:
    """What the shipped verify.js answers to each claim in a real browser. Call it in a thread without a loop."""
    from playwright.sync_api import sync_playwright

    lines = [claim.line() for claim in claims]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page()
        page.route("**/*", _serve)
        page.goto(PAGE)
        said = [one for at in range(0, len(lines), 500) for one in page.evaluate(JUDGE, lines[at : at + 500])]
        browser.close()
    return said


def _serve(route: "Route") -> None:
    """An empty page and the shipped scripts; nothing else exists for it."""
    name = "/" + route.request.url.rpartition("/")[2]
    if route.request.url == PAGE:
        route.fulfill(content_type="text/html", body="<!doctype html><title>claims</title>")
    elif name in SCRIPTS:
        route.fulfill(content_type="text/javascript", body=SCRIPTS[name].read_text())
    else:
        route.abort()


def accepted(answers: Sequence[str]) -> int:
    """How many were taken for true."""
    return sum(said == "ok" for said in answers)


def unforeseen(answers: Sequence[str]) -> list[str]:
    """Refusals for a reason that the judge itself has no word for: a fault of the judge, not of the claim."""
    return [said for said in answers if said == "refused: ?"]
