"""A house in a process of its own, with one container that anybody may write in; it ends with its standard input."""

import sys
import tempfile
from pathlib import Path

from tests.browser.town import Town
from vault import acls
from vault.log.entry import Facts
from vault.mint import mint
from vault.permit import Permit
from vault.solid.wac import owner_acl
from web.app import wall_clock


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        town = Town(Path(folder))
        who = town.newcomer()
        pod = town.house.vault.pod(who.user)
        assert pod is not None
        root = f"{town.base}/pods/{who.user}"
        turtle = owner_acl(f"{root}/profile/card#me", f"{root}/public/", ("read", "write"))
        facts = Facts("access", "control", resources=("/public/",))
        permit = mint(Permit(pod.id, facts, (pod.compartment("public"),), frozenset({"/public/"}), None, writes=True))
        town._do(acls.put(town.house.vault, permit, "/public/", turtle, wall_clock()))
        print(root, flush=True)
        sys.stdin.read()
        town.stop()


if __name__ == "__main__":
    main()
