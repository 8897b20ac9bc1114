"""N3 Patch (Solid Protocol 5.3.1, `server-patch-n3-*`): one `solid:InsertDeletePatch` with up to three formulae."""

import pyoxigraph as ox

from vault.solid.formulae import Part, Text, declarations, statements
from vault.solid.patch import BadPatch, Patch, checked

_SOLID = "http://www.w3.org/ns/solid/terms#"
_TYPE = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
_PATCH = ox.NamedNode(_SOLID + "InsertDeletePatch")
MOST_FORMULAE = 8
_Formulae = dict[str, tuple[ox.Triple, ...]]


def read(body: bytes, base: str) -> Patch:
    """The patch in an N3 document, relative names resolved against `base`, the URL of what it changes.

    Raises BadRdf for what is no N3 of the kind that patches are written in, BadPatch for any other rule.
    """
    document = Text(body)
    said, formulae = _taken_apart(document, base)
    if any(document.mark in str(one) for one in said):
        raise BadPatch("variable", "one outside the formulae")
    subject = _subject(said)
    where, deletes, inserts = (_formula(said, formulae, subject, name) for name in ("where", "deletes", "inserts"))
    if formulae:
        raise BadPatch("stray_formula", "one that is neither where, deletes nor inserts of the patch")
    if any(isinstance(term, ox.BlankNode) for one in inserts for term in (one.subject, one.object)):
        raise BadPatch("blank_node", "what comes has to be named")
    return checked(Patch(where, deletes, inserts, document.mark))


def _taken_apart(document: Text, base: str) -> tuple[tuple[ox.Triple, ...], _Formulae]:
    """What stands outside the formulae, each of which it names, and the formulae by those names."""
    text, head, formulae = "", "", {}
    if len(document.parts) > 2 * MOST_FORMULAE + 1:  # each is read with all that is declared before it
        raise BadPatch("stray_formula", f"more than {MOST_FORMULAE}")
    for number, part in enumerate(document.parts):
        if part.inside:
            name = f"{document.place}{number}"
            formulae[name] = statements(part, head, base)
            text += f" <{name}> " + "\n" * part.text.count("\n")
        else:
            text += part.text
            head += declarations(part.bare)
    return statements(Part(text, "", inside=False, line=1), "", base), formulae


def _subject(said: tuple[ox.Triple, ...]) -> ox.NamedNode | ox.BlankNode:
    found = {one.subject for one in said if (one.predicate, one.object) == (_TYPE, _PATCH)}
    if len(found) != 1:
        raise BadPatch("several_patches" if found else "no_patch", "exactly one solid:InsertDeletePatch")
    (subject,) = found
    if isinstance(subject, ox.Triple):
        raise BadPatch("no_patch", "a statement is no patch")
    return subject


def _formula(
    said: tuple[ox.Triple, ...], formulae: _Formulae, subject: ox.NamedNode | ox.BlankNode, name: str
) -> tuple[ox.Triple, ...]:
    """The statements of the formula that the patch has under a name, taken out of `formulae`; none if it has none."""
    predicate = ox.NamedNode(_SOLID + name)
    found = [one.object for one in said if (one.subject, one.predicate) == (subject, predicate)]
    if len(found) > 1:
        raise BadPatch("twice", f"more than one solid:{name}")
    if not found:
        return ()
    (formula,) = found
    if not isinstance(formula, ox.NamedNode) or formula.value not in formulae:
        raise BadPatch("no_formula", f"solid:{name} is a formula between braces")
    return formulae.pop(formula.value)
