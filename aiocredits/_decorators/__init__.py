"""Decorators: charging for a function by saying what it costs."""

from aiocredits._decorators.basic import consume_credits as consume_credits
from aiocredits._decorators.basic import credit_aware as credit_aware
from aiocredits._decorators.basic import require_credits as require_credits
from aiocredits._decorators.current import current_hold as current_hold
from aiocredits._decorators.info import CreditInfo as CreditInfo
from aiocredits._decorators.options import CallOptions as CallOptions
from aiocredits._decorators.options import ChargeOptions as ChargeOptions
from aiocredits._decorators.priced import ai_analysis_credits as ai_analysis_credits
from aiocredits._decorators.priced import ai_chat_credits as ai_chat_credits
from aiocredits._decorators.priced import ai_generation_credits as ai_generation_credits
from aiocredits._decorators.priced import file_conversion_credits as file_conversion_credits
from aiocredits._decorators.priced import file_processing_credits as file_processing_credits
from aiocredits._decorators.priced import file_upload_credits as file_upload_credits
from aiocredits._decorators.priced import workflow_credits as workflow_credits
