"""Real history at other prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aiocredits.errors import ConfigurationError, InvalidAmountError, InvalidInputError
from aiocredits.pricing import PriceBook, PriceList, UsageRecord, flat, per_character, simulate

OCTOBER = datetime(2026, 10, 15, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 15, tzinfo=UTC)

BOOK = PriceBook(
    "new",
    effective_from=datetime(2026, 12, 1, tzinfo=UTC),
    prices={"chat": per_character(1, every=100, of="message"), "scan": flat("0.5")},
    plans={"pro": {"scan": flat(0)}},
    accounts={"7": {"scan": flat(9)}},
)
HISTORY = [
    UsageRecord("scan", {}, "0.25", OCTOBER),
    UsageRecord("chat", {"message": 101}, Decimal("1.5"), OCTOBER),
    UsageRecord("chat", {"message": 0}, 1, DECEMBER),
    UsageRecord("scan", {}, 0, DECEMBER, plan="pro"),
    UsageRecord("scan", {}, 1, DECEMBER, user_id=7),
]


def test_old_and_new_by_service() -> None:
    simulation = simulate(BOOK, iter(HISTORY))
    chat, scan = simulation.services
    assert (chat.service, chat.calls, chat.old, chat.new) == ("chat", 2, Decimal("2.5"), Decimal(2))
    assert str(chat.difference) == "-0.5"
    assert (scan.service, scan.calls, scan.old) == ("scan", 3, Decimal("1.25"))
    assert scan.new == Decimal("9.5")
    total = simulation.total
    assert (total.calls, total.old, total.new) == (5, Decimal("3.75"), Decimal("11.5"))
    assert total.difference == chat.difference + scan.difference


def test_the_prices_of_a_book_give_back_what_they_charged() -> None:
    quote = BOOK.price("chat").quote(message=250)
    record = UsageRecord("chat", {"message": 250}, quote.total, DECEMBER)
    assert simulate(BOOK, [record]).total.difference == 0


def test_a_list_prices_each_record_by_its_date() -> None:
    old = PriceBook("old", prices={"scan": flat(2), "chat": flat(1)})
    assert simulate(PriceList(old, BOOK), HISTORY[:2]).total.new == 3
    assert simulate(PriceList(old, BOOK), HISTORY[2:]).total.new == 9


def test_a_service_without_a_price_is_an_error_or_keeps_its_cost() -> None:
    with pytest.raises(ConfigurationError, match="no new price for 'scan'"):
        simulate({"chat": flat(1)}, HISTORY)
    kept = simulate({"chat": flat(1)}, HISTORY, unpriced="keep")
    assert [change.difference for change in kept.services] == [Decimal("-0.5"), 0]


def test_a_record_that_cannot_be_priced_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"'chat' of 2026-10-15.* needs 'message'"):
        simulate(BOOK, [UsageRecord("chat", {}, 1, OCTOBER)])
    with pytest.raises(InvalidAmountError, match="float"):
        simulate(BOOK, [UsageRecord("scan", {}, 0.5, OCTOBER)])  # type: ignore[arg-type]


def test_no_history_is_no_change() -> None:
    simulation = simulate(BOOK, [])
    assert simulation.services == ()
    assert simulation.total.difference == 0
