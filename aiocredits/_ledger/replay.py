"""Following entries: doing to a draft what each of them says was done."""

from collections import Counter
from collections.abc import Container
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from aiocredits._amounts import Micros
from aiocredits._ledger.charges import charge_of
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.landing import merged, split
from aiocredits._ledger.openings import UsageKey
from aiocredits._model import EPOCH, Charge, Entry, Grant, Hold, Slice, Slices, total
from aiocredits._opening import Opening


class Replay:
    """Books that entries are applied to, one by one.

    It follows what the entries say and asks no rule whether that was right; so it shares the
    arithmetic of a grant with the verbs, and none of their decisions.

    It begins at an opening. Given the numbers of the `charges` that were ever owed for or refunded,
    it remembers no others.
    """

    def __init__(self, opening: Opening, charges: Container[int] | None) -> None:
        self.draft = Draft(opening.books, EPOCH)
        self._charges = charges
        self._begins_after = opening.account.version
        self.totals: Counter[str] = Counter(opening.totals)
        """Micro-credits by where they came from or went to, over the life of the account."""
        self.usage: Counter[UsageKey] = Counter()
        """What was spent since the opening."""
        # Kept up as grants and charges change: adding them all up for each entry would take a time
        # that grows with the square of the history.
        self.available: Micros = 0
        self.held: Micros = 0
        self.owed: Micros = sum(charge.owed_micros for charge in opening.charges)
        for grant in opening.grants:
            self._count(None, grant)

    def follow(self, entry: Entry) -> None:
        """Apply the next entry, or raise what it stumbles over."""
        draft = self.draft
        draft.usage.clear()
        self._follow(entry)
        for _, day, service, unit_cost, micros in draft.usage:
            self.usage[day, service, unit_cost] += micros

    def _follow(self, entry: Entry) -> None:  # noqa: C901 - one arm a kind
        detail = cast("dict[str, Any]", entry.detail or {})
        match entry.kind:
            case "grant" | "pledge" | "transfer_in":
                self._gain(entry, detail)
            case "cancel":
                grant = self._grant(entry)
                self._put(
                    grant._replace(
                        state=detail["state"],
                        remaining_micros=grant.remaining_micros - entry.amount_micros,
                    )
                )
            case "consume":
                self._charge(entry)
                self._move(entry.slices, remaining=-1)
            case "hold" | "extend":
                self._reserve(entry, detail)
            case "capture":
                self._capture(entry, detail)
            case "release" | "timeout":
                self._free(entry, detail)
            case "refund":
                self._refund(entry, detail)
            case "revoke":
                self._move(entry.slices, remaining=-1)
                if detail["whole"] and not self._ended_before(entry):
                    grant = self._grant(entry)
                    self._put(grant._replace(state="revoking" if grant.held_micros else "revoked"))
            case "expire":
                self._expire(entry)
            case "reinstate":
                self._move(entry.slices, remaining=1, lapsed=-1)
                self.totals["expired"] -= entry.amount_micros
            case "transfer_out":
                self._move(entry.slices, remaining=-1)
            case "set_expiry":
                self._put(self._grant(entry)._replace(expires_at=_instant(detail["expires_at"])))
            case "configure":
                self.draft.account = self.draft.account._replace(**detail)
        if entry.kind in _TOTALS:
            self.totals[_TOTALS[entry.kind]] += entry.amount_micros
        self._repay(detail)

    def _gain(self, entry: Entry, detail: dict[str, Any]) -> None:
        terms = detail.get("grant")
        if terms is None:
            state = detail.get("state", "live")
            self._put(self._grant(entry)._replace(state=state))
            return
        self._put(
            Grant(
                entry.account,
                entry.version,
                terms["state"],
                entry.amount_micros,
                entry.amount_micros,
                priority=terms["priority"],
                category=terms["category"],
                unit_cost=None if terms["unit_cost"] is None else Decimal(terms["unit_cost"]),
                scope=None if terms["scope"] is None else frozenset(terms["scope"]),
                effective_at=datetime.fromisoformat(terms["effective_at"]),
                expires_at=_instant(terms["expires_at"]),
                rolled_over=terms["rolled_over"],
                description=entry.description,
                metadata=entry.metadata,
            )
        )

    def _charge(self, entry: Entry) -> None:
        charge = charge_of(entry)
        if charge.owed_micros or self._charges is None or charge.number in self._charges:
            self._put_charge(charge)
        self.draft.spend(charge.service, charge.slices, charge.owed_micros, at=charge.at)

    def _reserve(self, entry: Entry, detail: dict[str, Any]) -> None:
        self._move(entry.slices, remaining=-1, held=1)
        expires_at = datetime.fromisoformat(detail["expires_at"])
        if entry.kind == "hold":
            hold = Hold(
                entry.account,
                entry.version,
                "open",
                entry.amount_micros,
                0,
                entry.slices,
                entry.at,
                expires_at,
                entry.service,
                entry.actor,
                entry.description,
                entry.metadata,
            )
        else:
            hold = self._hold(entry)
            hold = hold._replace(
                amount_micros=hold.amount_micros + entry.amount_micros,
                slices=merged((*hold.slices, *entry.slices)),
                expires_at=expires_at,
            )
        self.draft.put_hold(hold)

    def _capture(self, entry: Entry, detail: dict[str, Any]) -> None:
        self._charge(entry)
        extra, freed = _slices(detail.get("extra")), _slices(detail.get("freed"))
        hold = self._hold(entry)
        captured, rest = split(hold.slices, total(entry.slices) - total(extra))
        self._move(captured, held=-1)
        self._move(extra, remaining=-1)
        self._give_back(freed, detail, from_hold=True)
        kept = () if freed == rest else rest
        self.draft.put_hold(
            hold._replace(
                state="open" if kept else "captured",
                captured_micros=hold.captured_micros + entry.amount_micros,
                slices=kept,
            )
        )

    def _free(self, entry: Entry, detail: dict[str, Any]) -> None:
        self._give_back(entry.slices, detail, from_hold=True)
        hold = self._hold(entry)
        self.draft.put_hold(
            hold._replace(state="released" if entry.kind == "release" else "expired", slices=())
        )

    def _refund(self, entry: Entry, detail: dict[str, Any]) -> None:
        charge = self.draft.charges[cast("int", entry.subject)]
        given = total(entry.slices)
        forgiven = entry.amount_micros - given
        _, keep = split(charge.slices[::-1], given)
        if charge.refunded_micros + entry.amount_micros > charge.amount_micros:
            raise ValueError("it refunds more than was charged")
        self._put_charge(
            charge._replace(
                owed_micros=charge.owed_micros - forgiven,
                refunded_micros=charge.refunded_micros + entry.amount_micros,
                slices=keep[::-1],
            )
        )
        self.draft.spend(charge.service, entry.slices, forgiven, at=charge.at, sign=-1)
        self._give_back(entry.slices, detail, from_hold=False)

    def _give_back(self, slices: Slices, detail: dict[str, Any], *, from_hold: bool) -> None:
        held = -1 if from_hold else 0
        expired, revoked = _slices(detail.get("expired")), _slices(detail.get("revoked"))
        lost = {*expired, *revoked}
        for part in slices:
            if part in lost:
                self._move((part,), held=held, lapsed=1 if part in expired else 0)
            else:
                self._move((part,), remaining=1, held=held)
        self.totals["expired"] += total(expired)
        self.totals["revoked"] += total(revoked)

    def _expire(self, entry: Entry) -> None:
        grant = self._grant(entry)
        self._put(
            grant._replace(
                state="expiring" if grant.held_micros else "expired",
                remaining_micros=grant.remaining_micros - entry.amount_micros,
                lapsed_micros=grant.lapsed_micros + entry.amount_micros,
            )
        )

    def _repay(self, detail: dict[str, Any]) -> None:
        for number, grant, micros in detail.get("repaid", ()):
            charge: Charge = self.draft.charges[number]
            part = Slice(grant, micros)
            self._move((part,), remaining=-1)
            self._put_charge(
                charge._replace(
                    owed_micros=charge.owed_micros - micros, slices=merged((*charge.slices, part))
                )
            )
            self.draft.spend(charge.service, (), micros, at=charge.at, sign=-1)
            self.draft.spend(charge.service, (part,), 0, at=charge.at)

    def _move(self, slices: Slices, *, remaining: int = 0, held: int = 0, lapsed: int = 0) -> None:
        for number, micros in slices:
            before = self.draft.grants[number]
            self.draft.adjust(
                number, remaining=remaining * micros, held=held * micros, lapsed=lapsed * micros
            )
            self._count(before, self.draft.grants[number])

    def _ended_before(self, entry: Entry) -> bool:
        """Tell whether a spent grant was revoked that the opening does not have in full."""
        number = cast("int", entry.subject)
        unknown = number <= self._begins_after and number not in self.draft.grants
        return unknown and not entry.amount_micros

    def _grant(self, entry: Entry) -> Grant:
        return self.draft.grants[cast("int", entry.subject)]

    def _hold(self, entry: Entry) -> Hold:
        return self.draft.holds[cast("int", entry.subject)]

    def _put(self, grant: Grant) -> None:
        known = self.draft.grants.get(grant.number)
        self.draft.put_grant(grant)
        self._count(known, grant)

    def _put_charge(self, charge: Charge) -> None:
        known = self.draft.charges.get(charge.number)
        self.draft.put_charge(charge)
        self.owed += charge.owed_micros - (known.owed_micros if known else 0)

    def _count(self, before: Grant | None, after: Grant) -> None:
        self.available += _spendable_micros(after)
        self.held += after.held_micros
        if before is not None:
            self.available -= _spendable_micros(before)
            self.held -= before.held_micros


# Recorded, and not spendable yet.
_WAITING = {"pending", "scheduled"}

_TOTALS = {
    "grant": "granted",
    "transfer_in": "transferred_in",
    "refund": "refunded",
    "consume": "consumed",
    "capture": "consumed",
    "expire": "expired",
    "revoke": "revoked",
    "transfer_out": "transferred_out",
}


def _spendable_micros(grant: Grant) -> Micros:
    return 0 if grant.state in _WAITING else grant.remaining_micros


def _slices(parts: object) -> Slices:
    return tuple(Slice(*part) for part in cast("list[list[int]]", parts or ()))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
