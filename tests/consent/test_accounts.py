"""People, logins and sessions, in a real vault with a stopped clock."""

from pathlib import Path
from typing import Any

import pytest

from consent.accounts import passphrase, people, proof, sessions, tries, welcome
from consent.accounts.people import Newcomer, enroll, find, found_office
from consent.accounts.proof import Proof
from consent.errors import BadName
from consent.tables import Account, Throttle
from keys.unlock import new_code
from tests.conftest import BASE, Clock
from tests.consent.entering import PHRASE, actions, an, entered, house, records, stored
from vault import pod as pods
from vault.database import Tx
from vault.errors import Conflict, DamagedItem
from vault.log import tally
from vault.solid.access import read_document
from vault.solid.graph import Graph
from vault.solid.policy import Asker, granted
from vault.solid.rdf import statements
from vault.solid.wac import modes, parse_acl
from vault.tables import Record
from vault.vault import PodFacts, Vault


async def test_a_citizen_gets_a_pod_with_a_webid_and_every_registered_compartment(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    pod = vault.pod("an")
    assert pod is not None
    assert made.webid == f"{BASE}/pods/an/profile/card#me"
    cells = {c.container: (c.category, c.custody) for c in pods.compartments(vault, pod)}
    assert {name for name, (_, custody) in cells.items() if custody == "managed"} == {"public", "settings", "inbox"}
    assert cells["loans"] == ("kluis:LibraryLoan", "sealed")
    assert {"interests", "tickets", "card", "person", "derived", "answers"} <= set(cells)


async def test_nobody_gets_fewer_than_two_ways_in(vault: Vault, clock: Clock) -> None:
    without = await an(vault, clock)
    assert len(set(without.codes)) == 2
    with_phrase = await enroll(vault, "youssef", "Youssef", "citizen", "youssef", PHRASE, clock())
    assert len(with_phrase.codes) == 1
    account = find(vault, "youssef")
    assert account is not None
    assert [way.kind for way in account.ways] == ["passphrase", "recovery"]


async def test_everybody_finds_her_account_however_she_writes_her_name(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    found = [find(vault, name) for name in ("An", " an ", "AN", "\uff21n")]  # the last one with a full-width A
    assert [account.id for account in found if account] == [made.account] * 4
    assert find(vault, "anna") is None


async def test_staff_have_a_desk_without_sealed_compartments_and_no_webid(vault: Vault, clock: Clock) -> None:
    await house(vault, clock)
    for role in ("developer", "institution", "operator"):
        made = await enroll(vault, role, role, role, None, None, clock())
        account = find(vault, role)
        assert account is not None
        pod = vault.pod_by_id(account.pod)
        assert pod is not None
        assert (made.webid, pod.kind) == ("", "desk")
        assert {c.custody for c in pods.compartments(vault, pod)} == {"managed"}


@pytest.mark.parametrize(
    ("role", "pod"),
    [
        ("citizen", None),
        ("citizen", "office"),
        ("citizen", "../an"),
        ("citizen", "An"),
        ("developer", "an"),
        ("dpo", None),
        ("king", "an"),
    ],
)
async def test_a_role_or_pod_name_that_does_not_fit_is_refused(vault: Vault, clock: Clock, role: Any, pod: Any) -> None:
    await house(vault, clock)
    with pytest.raises(BadName):
        await enroll(vault, "u", "U", role, pod, None, clock())
    assert find(vault, "u") is None


@pytest.mark.parametrize("phrase", ["kort", "x" * 1025])
async def test_a_passphrase_too_short_or_absurdly_long_is_refused(vault: Vault, clock: Clock, phrase: str) -> None:
    with pytest.raises(BadName):
        await enroll(vault, "u", "U", "citizen", "u-u", phrase, clock())


async def test_a_taken_user_or_pod_name_is_refused_and_leaves_nothing_behind(vault: Vault, clock: Clock) -> None:
    await an(vault, clock)
    with pytest.raises(Conflict, match="exists"):
        await enroll(vault, "an", "Other", "citizen", "other", None, clock())
    assert vault.pod("other") is None
    with pytest.raises(Conflict, match="exists"):
        await enroll(vault, "other", "Other", "citizen", "an", None, clock())
    assert vault.db.read.find(Account, user_mac=people.user_mac(vault, "other")) == []
    with pytest.raises(Conflict, match="exists"):
        await found_office(vault, [Newcomer("second", "Second")], clock())


@pytest.mark.parametrize("after", [False, True], ids=["before the account", "after the account"])
async def test_an_enrolment_that_a_crash_cuts_short_leaves_nothing_and_can_be_done_again(
    vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    await house(vault, clock)
    real, shares = people._take, len(vault.shares.owners("unlock"))

    def crash(rows: list[Account], tx: Tx, pod: PodFacts) -> None:
        if after:
            real(rows, tx, pod)
        raise ConnectionResetError

    with monkeypatch.context() as here:
        here.setattr(people, "_take", crash)
        with pytest.raises(ConnectionResetError):
            await enroll(vault, "an", "An", "citizen", "an", None, clock())
    assert find(vault, "an") is None and vault.pod("an") is None
    assert len(vault.shares.owners("unlock")) == shares
    made = await enroll(vault, "an", "An", "citizen", "an", None, clock())
    assert (await entered(vault, "an", made.codes[0], clock))[1].account == made.account


@pytest.mark.parametrize("user", ["an", "nobody"])
async def test_tries_while_a_name_rests_are_counted_and_become_one_line_a_minute(
    vault: Vault, clock: Clock, user: str
) -> None:
    made = await an(vault, clock)
    for _ in range(tries.FREE_TRIES):
        await passphrase.login(vault, user, new_code(), clock())
    size = vault.log.ledger.tree.size
    for _ in range(50):
        assert await passphrase.login(vault, user, made.codes[0], clock()) is None
    for _ in range(3):
        assert await passphrase.login(vault, user, "x" * (people.LONGEST + 1), clock()) is None
    assert vault.log.ledger.tree.size == size
    clock.forward(minutes=1)
    await tally.flush(vault.log, clock())
    assert vault.log.ledger.tree.size == size + 2  # as many for a name that does not exist
    clock.forward(hours=1)
    _, session = await entered(vault, "an", made.codes[0], clock)
    with sessions.log_private(session) as private:
        told = records(vault, private, session.pod)
    said = {
        line["rule"]: (line["action"], line["count"]) for line in told if line["type"] == "denial" and "count" in line
    }
    assert said == ({"too_many_tries": ("login", 50), "too_long": ("login", 3)} if user == "an" else {})


async def test_tries_at_proving_who_one_is_are_counted_too_while_they_rest(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    _, session = await entered(vault, "an", made.codes[0], clock)
    for _ in range(tries.FREE_TRIES + 4):
        assert not await proof.confirm(vault, session, Proof(new_code()), clock())
    await tally.flush(vault.log, clock(), all_of_them=True)
    with sessions.log_private(session) as private:
        (line,) = [one for one in records(vault, private, session.pod) if one["rule"] == "too_many_tries"]
    assert (line["action"], line["count"]) == ("confirm", 4)


async def test_a_role_changed_in_the_database_is_noticed(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    await vault.db.write(lambda tx: tx.change(Account, {"id": made.account}, role="dpo"))
    with pytest.raises(DamagedItem):
        find(vault, "an")


async def test_the_database_holds_no_name_user_or_webid_in_the_clear(
    vault: Vault, clock: Clock, tmp_path: Path
) -> None:
    await house(vault, clock)
    await enroll(vault, "zeldzamegebruiker", "Zeldzame Naam", "citizen", "zeldzamekluis", None, clock())
    held = stored(tmp_path)
    assert b"SQLite" in held
    assert [w for w in (b"zeldzame", b"Zeldzame") if w in held] == []


async def test_a_new_pod_opens_to_its_owner_and_shows_two_containers_to_all(vault: Vault, clock: Clock) -> None:
    await an(vault, clock)
    root = f"{BASE}/pods/an"
    lists = dict(welcome.blueprint(BASE, "an").acls)
    webid = welcome.webid(BASE, "an")
    for path, turtle in lists.items():
        rules = parse_acl(turtle, f"{root}{path}.acl")
        assert modes(rules, Asker(webid), False, root + path) >= {"read", "write", "control"}
        assert modes(rules, Asker(), False, root + path) == (set() if path == "/" else {"read"})
        stranger = modes(rules, Asker("https://elsewhere.example/#me"), True, root + path)
        assert stranger == (set() if path == "/" else {"read"})
    assert set(lists) == {"/", "/profile/", "/public/"}


def test_a_new_pod_gives_the_same_in_either_language() -> None:
    root, owner = f"{BASE}/pods/an", welcome.webid(BASE, "an")
    written = {name: dict(welcome.blueprint(BASE, "an", name).acls) for name in ("wac", "acp")}  # type: ignore[arg-type]
    assert set(written["wac"]) == set(written["acp"])
    for path, turtle in written["acp"].items():
        one, other = (read_document(text, root + path) for text in (written["wac"][path], turtle))
        assert (other.language, other.alone) == ("acp", False)
        for asker in (Asker(owner), Asker("https://elsewhere.example/#me"), Asker()):
            assert granted(one.own, asker, owner, {}) == granted(other.own, asker, owner, {})
            assert granted(one.below, asker, owner, {}) == granted(other.below, asker, owner, {})


def test_a_new_pod_tells_where_things_are_and_the_public_card_no_more_than_it_must() -> None:
    root = f"{BASE}/pods/an/"
    found = {
        path: Graph(statements(body, media, root[:-1] + path))
        for path, media, body in welcome.blueprint(BASE, "an").resources
    }
    me, solid = root + "profile/card#me", "http://www.w3.org/ns/solid/terms#"
    card, preferences = found["/profile/card"], found["/settings/prefs.ttl"]
    assert card.named(me, solid + "oidcIssuer") == {BASE}
    assert not card.named(me, solid + "privateTypeIndex")
    assert preferences.named(me, solid + "privateTypeIndex") == {root + "settings/privateTypeIndex.ttl"}
    index = found["/settings/privateTypeIndex.ttl"]
    places = {one: place for node in index.subjects() for one in index.named(node, solid + "forClass")
              for place in index.named(node, solid + "instanceContainer")}  # fmt: skip
    assert places["urn:kluis:ns:LibraryLoan"] == root + "loans/"
    assert places["https://w3id.org/dpv/pd#Interest"] == root + "interests/"
    assert len(places) == len(welcome.SEALED)


async def test_a_passphrase_opens_a_session_and_leaves_two_lines(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock, phrase=PHRASE)
    cookie, session = await entered(vault, "an", PHRASE, clock)
    assert (session.account, session.role, session.name) == (made.account, "citizen", "An Peeters")
    assert cookie.startswith("kss1_")
    assert actions(vault, session) == [
        ("key event", "create pod", "allowed"),
        ("unlock", "login", "allowed"),
        ("key event", "login", "allowed"),
    ]
    assert await passphrase.login(vault, "an", PHRASE + "!", clock()) is None
    assert actions(vault, session)[-2:] == [("unlock", "login", "allowed"), ("denial", "login", "denied")]


async def test_a_recovery_code_opens_as_people_type_it_and_anothers_does_not(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    other = await enroll(vault, "mia", "Mia", "citizen", "mia", None, clock())
    for code in made.codes:
        await entered(vault, "AN", code.lower().replace("-", " "), clock)
    assert await passphrase.login(vault, "an", other.codes[0], clock()) is None


async def test_two_officers_share_the_office_but_not_each_others_account(vault: Vault, clock: Clock) -> None:
    dirk, els = await found_office(vault, [Newcomer("dirk", "Dirk"), Newcomer("els", "Els")], clock())
    _, session = await entered(vault, "els", els.codes[0], clock)
    assert (session.pod.id, session.role) == (vault.office, "dpo")
    assert await passphrase.login(vault, "els", dirk.codes[0], clock()) is None


async def test_every_failed_try_adds_two_entries_whoever_is_named_and_whatever_is_tried(
    vault: Vault, clock: Clock
) -> None:
    await an(vault, clock, phrase=PHRASE)
    await enroll(vault, "mia", "Mia", "citizen", "mia", None, clock())  # two codes, no passphrase
    for user in ("an", "mia", "nobody"):
        for secret in ("niet de goede zin", new_code()):
            before = vault.log.ledger.tree.size
            assert await passphrase.login(vault, user, secret, clock()) is None
            assert vault.log.ledger.tree.size == before + 2
    assert len(vault.db.read.find(Record, pod=vault.office)) == 1 + 4


async def test_an_unknown_name_costs_a_stretch_too(vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    await an(vault, clock)  # she has no passphrase either
    stretched: list[str] = []

    async def counted(text: str, costs: Any) -> Any:
        stretched.append(text)
        return await real(text, costs)

    real = passphrase._stretched
    monkeypatch.setattr(passphrase, "_stretched", counted)
    for user in ("nobody", "an"):
        assert await passphrase.login(vault, user, "niet de goede zin", clock()) is None
    assert len(stretched) == 2


@pytest.mark.parametrize("user", ["an", "nobody"])
async def test_after_five_tries_a_name_rests_longer_each_time_whether_it_exists_or_not(
    vault: Vault, clock: Clock, user: str
) -> None:
    made = await an(vault, clock)
    wrong = new_code()
    for _ in range(tries.FREE_TRIES):
        assert await passphrase.login(vault, user, wrong, clock()) is None
    entries = vault.log.ledger.tree.size
    assert await passphrase.login(vault, user, made.codes[0], clock()) is None
    assert vault.log.ledger.tree.size == entries  # locked: nothing was tried, so no share was asked for
    clock.forward(seconds=30)
    assert await passphrase.login(vault, user, wrong, clock()) is None
    clock.forward(seconds=59)
    assert await passphrase.login(vault, user, made.codes[0], clock()) is None
    clock.forward(seconds=1)
    assert (await passphrase.login(vault, user, made.codes[0], clock()) is not None) == (user == "an")


def test_the_rest_after_failures_doubles_up_to_an_hour() -> None:
    rests = [tries.pause(n) // 1000 for n in range(1, 15)]
    assert rests[:8] == [0, 0, 0, 0, 30, 60, 120, 240]
    assert rests[-1] == tries.pause(10_000) // 1000 == 3600


async def test_tries_at_the_same_moment_cannot_slip_past_the_limit(vault: Vault, clock: Clock) -> None:
    import asyncio

    await an(vault, clock)
    wrong = new_code()
    before = vault.log.ledger.tree.size
    await asyncio.gather(*(passphrase.login(vault, "an", wrong, clock()) for _ in range(20)))
    assert vault.log.ledger.tree.size - before == tries.FREE_TRIES * 2  # unlock and denial


async def test_a_success_and_a_day_of_rest_both_clear_the_count(vault: Vault, clock: Clock) -> None:
    made = await an(vault, clock)
    wrong = new_code()
    await passphrase.login(vault, "an", wrong, clock())
    await entered(vault, "an", made.codes[0], clock)
    assert vault.db.read.find(Throttle) == []
    await passphrase.login(vault, "an", wrong, clock())
    clock.forward(days=1, seconds=1)
    await passphrase.login(vault, "an", wrong, clock())
    assert [row.failures for row in vault.db.read.find(Throttle)] == [1]
