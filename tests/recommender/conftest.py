"""A small simulated city with a model trained on it, made once."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from recommender import generator
from recommender.catalogue import Catalogue
from recommender.profile import INTERESTS, LOANS, POSTAL, TICKETS, Profile, profile
from recommender.rank import Model
from recommender.train import Trained, city_catalogue, train

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Small:
    """The city, what was learnt, and citizens the model never saw."""

    town: generator.City
    catalogue: Catalogue
    trained: Trained
    people: list[generator.Citizen]

    @property
    def model(self) -> Model:
        return self.trained.model

    def records(self, number: int = 0) -> dict[str, list[dict]]:
        citizen = self.people[number]
        loans = [
            {"@id": f"/loans/{n}", "schema:name": loan.book.title, "schema:author": loan.book.author}
            for n, loan in enumerate(citizen.loans)
        ]
        interests = [i | {"@id": f"/interests/{n}"} for n, i in enumerate(generator.interests(citizen))]
        tickets = [t | {"@id": f"/tickets/{n}"} for n, t in enumerate(generator.tickets(citizen, self.town))]
        return {LOANS: loans, INTERESTS: interests, TICKETS: tickets, POSTAL: [{"kluis:value": citizen.district}]}

    def profile(self, number: int = 0) -> Profile:
        return profile(self.records(number), self.catalogue)


@pytest.fixture(scope="session")
def small() -> Small:
    trained = train(NOW, np.random.default_rng(1), people=150)
    town = generator.city(NOW, np.random.default_rng(1))
    people = generator.population(6, np.random.default_rng(99), town, NOW)
    return Small(town, city_catalogue(town), trained, people)
