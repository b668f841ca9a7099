# The stubs of PyYAML leave types out.
# pyright: reportUnknownMemberType=false
"""YAML: its numbers exactly, its keys as they are written, and the line of each value."""

from collections.abc import Callable, Hashable
from decimal import Decimal, InvalidOperation
from typing import cast

import yaml

from aiocredits.errors import ConfigurationError
from aiocredits.pricing._toml_lines import Path


class _Loader(yaml.SafeLoader):
    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the signature of the base
    ) -> dict[Hashable, object]:
        self.flatten_mapping(node)
        mapping: dict[Hashable, object] = {}
        for key, value in node.value:
            # The text of the key: account 7 is "7", and `on` is no truth value.
            if key.value in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is given twice", key.start_mark
                )
            mapping[key.value] = self.construct_object(value, deep=deep)
        return mapping


def _number(_: _Loader, node: yaml.ScalarNode) -> object:
    # YAML's own floats are inexact, and its `010` is eight; what is no plain number stays text.
    text = node.value.replace("_", "")
    try:
        return int(text) if node.tag.endswith(":int") else Decimal(text)
    except (ValueError, InvalidOperation):
        return text


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def parse_yaml(text: str, source: str) -> tuple[object, Callable[[Path], int | None]]:
    """Return the data, and what tells the line, from 1, of the value at a path."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        data = None if root is None else cast("object", loader.construct_document(root))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source} is not YAML: {error}") from error
    finally:
        loader.dispose()
    return data, lambda path: _line(root, path)


def _line(node: yaml.Node | None, path: Path) -> int | None:
    mark = None if node is None else node.start_mark
    for step in path:
        match node:
            case yaml.MappingNode():
                found = next((pair for pair in node.value if pair[0].value == step), None)
            case yaml.SequenceNode() if isinstance(step, int) and step < len(node.value):
                found = (node.value[step], node.value[step])
            case _:
                found = None
        if found is None:
            break
        mark, node = found[0].start_mark, found[1]
    return None if mark is None else mark.line + 1
