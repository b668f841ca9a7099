"""The rules of credits, and nothing else: no I/O, no clock, no framework.

    state.books, state.keys ──┐
    commands ─────────────────┼── decide ──> outcomes, changes
    at ───────────────────────┘

One noun a file: `burn` says which grant pays first, `charges`, `holds`, `grants`, `transfers` and
`settings` hold the verbs, `landing` is how credits come back, `due` what time does by itself,
`keys` why a retry is harmless, `carry` what outlives a batch, `cached` what may be decided on that,
and `straight` says in less time what `decide` would say of most charges and holds.
`replay` follows entries, `audit` proves by it that they add up to the books, and `closing` makes
`openings`, from which both may begin.
"""

from aiocredits._ledger.audit import Audit, Standing
from aiocredits._ledger.burn import BURN_ORDER, in_burn_order, spendable
from aiocredits._ledger.cached import CachedDecision, decide_cached, is_cheap
from aiocredits._ledger.carry import carried_over, remembered, suffices
from aiocredits._ledger.charges import charge_of
from aiocredits._ledger.closing import closed
from aiocredits._ledger.decide import decide
from aiocredits._ledger.due import project
from aiocredits._ledger.holds import MAX_TIMEOUT
from aiocredits._ledger.openings import dump_opening, load_opening
from aiocredits._ledger.scope import scope_of
from aiocredits._ledger.state import Changes, Decision, KeyOf, NumberOf, Scope, State

__all__ = [
    "BURN_ORDER",
    "MAX_TIMEOUT",
    "Audit",
    "CachedDecision",
    "Changes",
    "Decision",
    "KeyOf",
    "NumberOf",
    "Scope",
    "Standing",
    "State",
    "carried_over",
    "charge_of",
    "closed",
    "decide",
    "decide_cached",
    "dump_opening",
    "in_burn_order",
    "is_cheap",
    "load_opening",
    "project",
    "remembered",
    "scope_of",
    "spendable",
    "suffices",
]
