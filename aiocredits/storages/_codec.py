"""What both databases keep as text: slices, metadata, details."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from aiocredits._model import NO_METADATA, Slice, Slices
from aiocredits.types import Metadata


def dump_json(value: object) -> str:
    """Return JSON without blanks; in a fifth of the time that the json module takes for a dict."""
    return to_json(value).decode()


def dump_slices(slices: Slices) -> str:
    """Return ``[[grant, micros], …]``; written by hand, for every charge writes one."""
    if len(slices) == 1:
        ((grant, micros),) = slices
        return f"[[{grant},{micros}]]"
    return "[" + ",".join([f"[{grant},{micros}]" for grant, micros in slices]) + "]"


def load_slices(text: str) -> Slices:
    """Return the slices that `dump_slices` wrote."""
    return tuple(Slice(*part) for part in json.loads(text))


def dump_mapping(mapping: Mapping[str, object] | None) -> str | None:
    """Return JSON, or None for what is empty."""
    if not mapping:
        return None
    return dump_json(mapping)


def load_mapping(text: str | None) -> dict[str, Any] | None:
    """Return what `dump_mapping` wrote."""
    if text is None:
        return None
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def load_metadata(text: str | None) -> Metadata:
    """Return metadata, empty where none is kept."""
    return NO_METADATA if text is None else (load_mapping(text) or NO_METADATA)


def dump_scope(scope: frozenset[str] | None) -> str | None:
    """Return the services as a JSON array, or None for any service."""
    return None if scope is None else json.dumps(sorted(scope), ensure_ascii=False)


def load_scope(text: str | None) -> frozenset[str] | None:
    """Return what `dump_scope` wrote."""
    return None if text is None else frozenset(json.loads(text))
