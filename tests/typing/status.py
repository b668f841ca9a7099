"""What type checkers see of a status; never run."""

from decimal import Decimal
from typing import assert_type

from aiocredits import CreditClient, Forecast, Summary


async def fields(client: CreditClient) -> None:
    status = await client.get_user_credit_status("alice")
    assert_type(status["balance"], Decimal)
    assert_type(status["summary"], Summary)
    assert_type(status["forecast"], Forecast)
    assert_type(status["summary"]["monthly_spent"], Decimal)
    assert_type(status["summary"]["monthly_cost"], Decimal)
    assert_type(status.summary.monthly_cost, Decimal)
