"""Decorators: charging for a function by saying what it costs."""

from aiocredits._decorators.basic import consume_credits as consume_credits
from aiocredits._decorators.basic import credit_aware as credit_aware
from aiocredits._decorators.basic import require_credits as require_credits
from aiocredits._decorators.current import current_hold as current_hold
