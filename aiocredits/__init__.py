"""Credits for asyncio applications: an exact ledger in your own database.

async with CreditClient("sqlite:///credits.db") as client:
    await client.add_credits("alice", 100, "welcome")
    await client.consume_credits("alice", "2.5", "one report")
"""

from aiocredits._care import Maintenance as Maintenance
from aiocredits._care import Problem as Problem
from aiocredits._care import Verification as Verification
from aiocredits._client import CreditClient as CreditClient
from aiocredits._decorators import CreditInfo as CreditInfo
from aiocredits._decorators import ai_analysis_credits as ai_analysis_credits
from aiocredits._decorators import ai_chat_credits as ai_chat_credits
from aiocredits._decorators import ai_generation_credits as ai_generation_credits
from aiocredits._decorators import consume_credits as consume_credits
from aiocredits._decorators import credit_aware as credit_aware
from aiocredits._decorators import current_hold as current_hold
from aiocredits._decorators import file_conversion_credits as file_conversion_credits
from aiocredits._decorators import file_processing_credits as file_processing_credits
from aiocredits._decorators import file_upload_credits as file_upload_credits
from aiocredits._decorators import require_credits as require_credits
from aiocredits._decorators import workflow_credits as workflow_credits
from aiocredits._holding import CreditHold as CreditHold
from aiocredits._model import Entry as Entry
from aiocredits._model import Grant as Grant
from aiocredits._model import Hold as Hold
from aiocredits._model import Receipt as Receipt
from aiocredits._quick import get_user_credit_status as get_user_credit_status
from aiocredits._quick import quick_credit_check as quick_credit_check
from aiocredits._quick import quick_credit_consumption as quick_credit_consumption
from aiocredits._status import Balance as Balance
from aiocredits._status import CreditStatus as CreditStatus
from aiocredits._status import Forecast as Forecast
from aiocredits._status import Summary as Summary
from aiocredits._sync import SyncCreditClient as SyncCreditClient
from aiocredits._sync import SyncCreditHold as SyncCreditHold
