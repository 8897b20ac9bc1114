"""What can go wrong in the recommender; web.problems maps these to answers."""


class RecommenderError(Exception):
    """Base of all errors of this floor; `code` is stable, the message is for people."""

    code = "recommender"


class BadData(RecommenderError):
    """A data folder, model or catalogue file that cannot be used; the message says which and why, in one line."""

    code = "bad_data"


class NoGrant(RecommenderError):
    """The citizen has given no grant, or has withdrawn it: nothing may be read."""

    code = "no_grant"


class Closed(RecommenderError):
    """The grant lives, but does not cover this category."""

    code = "category_closed"


class Unreachable(RecommenderError):
    """The vault did not answer, or answered what its protocol does not know."""

    code = "vault_unreachable"


class Spent(RecommenderError):
    """A release would cost more privacy than its purpose has left."""

    code = "budget_spent"


class NoPermit(RecommenderError):
    """A question about a citizen without a permit of the gate for it, or with one that was used or is not of now."""

    code = "no_permit"
