"""Credits for asyncio applications: an exact ledger in your own database.

async with CreditClient("sqlite:///credits.db") as client:
    await client.add_credits("alice", 100, "welcome")
    await client.consume_credits("alice", "2.5", "one report")
"""

from aiocredits._care import Maintenance as Maintenance
from aiocredits._care import Problem as Problem
from aiocredits._care import Verification as Verification
from aiocredits._client import CreditClient as CreditClient
from aiocredits._holding import CreditHold as CreditHold
from aiocredits._model import Entry as Entry
from aiocredits._model import Grant as Grant
from aiocredits._model import Hold as Hold
from aiocredits._model import Receipt as Receipt
from aiocredits._status import Balance as Balance
from aiocredits._status import CreditStatus as CreditStatus
from aiocredits._status import Forecast as Forecast
from aiocredits._status import Summary as Summary
