"""Histories made by chance: the same for the same seed, on every machine."""

# ruff: noqa: S311 - chance has to be repeatable here, not secret

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple, TypeAlias, get_args

from aiocredits._amounts import ONE_CREDIT
from aiocredits._commands import (
    ActivateGrant,
    AddGrant,
    BurnKey,
    BurnOrder,
    CaptureHold,
    Command,
    Configure,
    Consume,
    ExtendHold,
    FailGrant,
    Linked,
    PlaceHold,
    Refund,
    ReleaseHold,
    RevokeGrant,
    SetExpiry,
    Settle,
    Single,
    Transfer,
)
from aiocredits._names import account_name
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.reference import Reference
from aiocredits.types import IfOver, IfShort, Metadata

ACCOUNTS = ("alice", "bob", account_name("bob", "images"), "o'Brien\"; DROP TABLE % 😀")
SERVICES = (None, "chat", "search", "Übersetzung")
SCOPES = (None, None, frozenset({"chat"}), frozenset({"search", "Übersetzung"}))
COSTS = (None, None, Decimal(0), Decimal("0.01"), Decimal("0.25"), Decimal(12))
ZONES = ("UTC", "Europe/Berlin", "Pacific/Auckland", "nowhere/at_all")
METADATA: Sequence[Metadata] = ({}, {}, {"order": "№ 7", "paid": True, "lines": 3, "note": None})

Maker: TypeAlias = Callable[[str, str], Single]


class Step(NamedTuple):
    """One call of `apply`."""

    at: datetime
    commands: tuple[Command, ...]


class RandomHistory:
    """Makes up the next step of a history from a seed and from what has happened so far.

    Amounts are small and instants lie on whole hours, so that grants run dry and ends meet
    beginnings: borders are where storages go wrong.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._now = BEGINNING
        self._books = Reference()
        self._counter = 0
        self._sent: list[Single] = []
        self._makers: dict[Maker, int] = {
            self._grant: 8,
            self._activate: 2,
            self._fail: 1,
            self._revoke: 2,
            self._set_expiry: 2,
            self._consume: 12,
            self._hold: 6,
            self._capture: 6,
            self._release: 2,
            self._extend: 3,
            self._refund: 5,
            self._transfer: 4,
            self._configure: 3,
            self._settle: 1,
        }

    def step(self, books: Reference) -> Step:
        """Return what to apply next to `books`."""
        self._books = books
        chance = self._random
        hours = chance.choices((0, 1, 2, 5, 30, -3), (8, 5, 3, 2, 1, 1))[0]
        self._now += timedelta(hours=hours)
        return Step(
            self._now, tuple(self._command() for _ in range(chance.choice((1, 1, 2, 3, 6))))
        )

    def _command(self) -> Command:
        if self._random.random() < 0.08:  # noqa: PLR2004 - about one in twelve
            return Linked(tuple(self._single() for _ in range(self._random.randint(1, 4))))
        return self._single()

    def _single(self) -> Single:
        chance = self._random
        if self._sent and chance.random() < 0.06:  # noqa: PLR2004 - about one in sixteen
            return chance.choice(self._sent)
        make = chance.choices(list(self._makers), list(self._makers.values()))[0]
        command = make(chance.choices(ACCOUNTS, (6, 3, 1, 1))[0], self._key())
        # A storage that is asked again under a key of the library's own may look the key up only
        # where it would be written twice, so only callers' keys are sent again at any time.
        if not command.key.startswith("~"):
            self._sent.append(command)
        return command

    def _key(self) -> str:
        self._counter += 1
        if self._random.random() < 0.5:  # noqa: PLR2004 - a half
            return f"~{self._counter:032x}"
        # Few enough that some are used for two things.
        return f"key {self._random.randint(1, 400)}"

    def _micros(self, most: int = 12) -> int:
        return self._random.choice(
            (self._random.randint(1, most) * ONE_CREDIT, self._random.randint(1, 3 * ONE_CREDIT))
        )

    def _perhaps_micros(self) -> int | None:
        return self._random.choice((None, self._micros(4)))

    def _later(self) -> datetime | None:
        hours = self._random.choice((None, None, 1, 2, 6, 40, 0))
        return None if hours is None else self._now + timedelta(hours=hours)

    def _order(self) -> BurnOrder | None:
        if self._random.random() < 0.85:  # noqa: PLR2004 - mostly
            return None
        keys: list[BurnKey] = list(get_args(BurnKey))
        self._random.shuffle(keys)
        return tuple(keys)

    def _if_short(self) -> IfShort:
        options: tuple[IfShort, ...] = get_args(IfShort)
        return self._random.choice(options)

    def _numbers(self, numbers: Sequence[int]) -> int:
        """Return one of the numbers, rather a recent one, and at times one that is not there."""
        if not numbers or self._random.random() < 0.04:  # noqa: PLR2004 - one in 25
            return self._random.choice((1, 2, 999_999))
        return self._random.choice((*numbers, *numbers[-3:], *numbers[-3:]))

    def _grant_number(self, account: str) -> int:
        return self._numbers([grant.number for grant in self._books.grants(account)])

    def _hold_number(self, account: str) -> int:
        holds = self._books.holds(account)
        still_open = [hold.number for hold in holds if hold.state == "open"]
        return self._numbers([hold.number for hold in holds] + still_open * 3)

    def _charge_number(self, account: str) -> int:
        kinds = {"consume", "capture"}
        return self._numbers([e.version for e in self._books.entries(account) if e.kind in kinds])

    def _grant(self, account: str, key: str) -> Single:
        chance = self._random
        return AddGrant(
            account,
            key,
            self._micros(),
            chance.choice(("", "a gift", "50 % off — “now” 😀")),
            chance.choice((50, 50, 10, 90, 101)),
            chance.choice(("paid", "promo")),
            chance.choice(COSTS),
            chance.choice(SCOPES),
            self._later() if chance.random() < 0.3 else None,  # noqa: PLR2004 - some
            self._later(),
            chance.random() < 0.2,  # noqa: PLR2004 - some
            chance.choice(METADATA),
        )

    def _activate(self, account: str, key: str) -> Single:
        return ActivateGrant(account, key, self._grant_number(account))

    def _fail(self, account: str, key: str) -> Single:
        return FailGrant(account, key, self._grant_number(account))

    def _revoke(self, account: str, key: str) -> Single:
        number = self._grant_number(account)
        return RevokeGrant(account, key, number, self._perhaps_micros(), "a mistake")

    def _set_expiry(self, account: str, key: str) -> Single:
        return SetExpiry(account, key, self._grant_number(account), self._later())

    def _consume(self, account: str, key: str) -> Single:
        chance = self._random
        late = chance.choice((None, None, None, 0, -1, -7, -50))
        return Consume(
            account,
            key,
            self._micros(6),
            chance.choice(("", "a report")),
            chance.choice(SERVICES),
            chance.choice((None, "kim")),
            self._if_short(),
            None if late is None else self._now + timedelta(hours=late),
            chance.choice(METADATA),
            self._order(),
        )

    def _hold(self, account: str, key: str) -> Single:
        chance = self._random
        return PlaceHold(
            account,
            key,
            self._micros(6),
            timedelta(hours=chance.choice((1, 1, 3, 24, 24 * 31))),
            "work",
            chance.choice(SERVICES),
            chance.choice((None, "kim")),
            self._if_short(),
            chance.choice(METADATA),
            self._order(),
        )

    def _capture(self, account: str, key: str) -> Single:
        options: tuple[IfOver, ...] = get_args(IfOver)
        return CaptureHold(
            account,
            key,
            self._hold_number(account),
            self._perhaps_micros(),
            self._random.random() < 0.6,  # noqa: PLR2004 - mostly
            self._random.choice(options),
            "done",
            self._random.choice(METADATA),
            self._order(),
        )

    def _release(self, account: str, key: str) -> Single:
        return ReleaseHold(account, key, self._hold_number(account))

    def _extend(self, account: str, key: str) -> Single:
        hours = self._random.choice((None, 1, 6))
        return ExtendHold(
            account,
            key,
            self._hold_number(account),
            None if hours is None else timedelta(hours=hours),
            self._perhaps_micros() or 0,
            self._order(),
        )

    def _refund(self, account: str, key: str) -> Single:
        number = self._charge_number(account)
        return Refund(account, key, number, self._perhaps_micros(), "sorry")

    def _transfer(self, account: str, key: str) -> Single:
        target = self._random.choice((*ACCOUNTS, "carol"))
        return Transfer(account, key, target, self._micros(5), "a share", {}, self._order())

    def _configure(self, account: str, key: str) -> Single:
        chance = self._random
        return chance.choice(
            (
                Configure(account, key, "frozen", "open"),
                Configure(account, key, "open", "frozen"),
                Configure(account, key, "open", "frozen"),
                Configure(account, key, "closed"),
                Configure(account, key, "open", "closed"),
                Configure(account, key, "open", "closed"),
                Configure(account, key, overdraft_limit_micros=self._micros(20)),
                Configure(account, key, overdraft_limit_micros=0),
                Configure(account, key, time_zone=chance.choice(ZONES)),
            )
        )

    def _settle(self, account: str, key: str) -> Single:
        return Settle(account, key)
