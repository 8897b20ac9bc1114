"""How hard a Dutch text is to read: sentences, words, syllables, and the reading ease of Flesch and Douma.

Syllables are groups of vowels, two or three letters that are one sound (`ie`, `ui`, `eeu`) counted as one and a vowel
with a trema as a new one: right for some 95 of 100 words, which is enough for means over a page.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

_SOUND = re.compile(
    r"aai|ooi|oei|eeu|ieu|aa|ee|oo|uu|ie|oe|eu|ui|ou|au|ij|ei|[aeiouyáàâäéèêëíìîïóòôöúùûü]", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_END = re.compile(r"(?<=[.?!…])[”’)]?\s+(?=[“‘(]?[A-ZÀ-Ý0-9])")
SHORTEST = 4  # fewer words are a label, which would flatter the mean
_BLOCKS = "p li h1 h2 h3 dt dd button label summary th td legend caption figcaption blockquote option div br title"
BLOCKS = frozenset(_BLOCKS.split())
QUIET = frozenset({"code", "pre", "script", "style", "time", "blockquote"})
"""What is not ours to simplify: addresses and keys, dates, and the words of an app."""


def syllables(word: str) -> int:
    """At least one."""
    return max(1, len(_SOUND.findall(word)))


def sentences(text: str) -> list[list[str]]:
    """The words of each sentence."""
    return [words for part in _END.split(text) if (words := _WORD.findall(part))]


@dataclass(frozen=True)
class Measure:
    """Of a text: mean words a sentence, share of words over three syllables, ease by Flesch-Douma, longest sentence."""

    mean: float
    long: float
    ease: float
    longest: str


def measure(texts: Iterable[str]) -> Measure:
    """Over all texts together; labels count for the words and not for the sentences."""
    found = [sentence for text in texts for sentence in sentences(text)]
    whole = [sentence for sentence in found if len(sentence) >= SHORTEST] or found
    words = [word for sentence in found for word in sentence]
    mean = sum(map(len, whole)) / len(whole)
    beat = sum(map(syllables, words)) / len(words)
    long = sum(syllables(word) > 3 for word in words) / len(words)
    return Measure(mean, long, 206.84 - 77 * beat - 0.93 * mean, " ".join(max(whole, key=len)))


class Blocks(HTMLParser):
    """The text of a page, a string for each block; what stands in another language or in QUIET is left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = [""]
        self._quiet: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block begins a new text."""
        if tag in BLOCKS:
            self.texts.append("")
        other = tag != "html" and dict(attrs).get("lang") not in (None, "nl")
        if tag in QUIET or other or (self._quiet and tag == self._quiet[-1]):
            self._quiet.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """And ends it."""
        if tag in BLOCKS:
            self.texts.append("")
        if self._quiet and tag == self._quiet[-1]:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        """Inline elements belong to the block around them."""
        if not self._quiet:
            self.texts[-1] += data.replace("\u00ad", "")

    @property
    def told(self) -> list[str]:
        """What is left, on one line each."""
        return [line for text in self.texts if (line := " ".join(text.split()))]


_DUTCH = re.compile(r"\b(de|het|een|je|jij|niet|wordt|werd|deze|van|jouw|kan|nog|naar|met)\b", re.IGNORECASE)
_OTHER = re.compile(r"\b(the|of|is|are|not|this|and|le|la|les|des|und|der|die das)\b", re.IGNORECASE)


def written(root: Path) -> Iterator[str]:
    """Every Dutch sentence that stands in the Python files under a folder (docstrings aside); gaps are filled in."""
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | alone:
                text = node.value
            else:
                continue
            if len(_WORD.findall(text)) >= SHORTEST and len(_DUTCH.findall(text)) > len(_OTHER.findall(text)):
                yield text


_SCRIPTED = re.compile(r"""(["`])([A-Z][^"`\n]*?)\1""")


def scripted(root: Path) -> Iterator[str]:
    """Every Dutch sentence in the scripts of a folder, comments aside; gaps are filled in."""
    for path in sorted(root.glob("*.js")):
        code = re.sub(r"/\*.*?\*/|(?m:^\s*//[^\n]*)", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for _, text in _SCRIPTED.findall(code):
            if len(_WORD.findall(text)) >= SHORTEST and len(_DUTCH.findall(text)) > len(_OTHER.findall(text)):
                yield re.sub(r"\$\{[^}]*\}", "X", text)
