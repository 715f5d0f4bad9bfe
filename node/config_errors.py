"""What a person is told of a config.toml that cannot be used: the file, the key, its value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails, PydanticCustomError

from node.errors import ConfigError


class Section(BaseModel):
    """What every section has in common: frozen, nothing unknown, no value turned into another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True)


def refuse(key: str, value: object, allowed: str) -> NoReturn:
    """Raised within a validator that looks at more than one key."""
    raise PydanticCustomError("restage", "{allowed}", {"key": key, "value": value, "allowed": allowed})


def config_error(path: Path, data: Mapping[str, Any], root: type[Section], errors: list[ErrorDetails]) -> ConfigError:
    """One line for the first of the errors, and how many more there are."""
    # A misspelt key often causes the other errors (its own key is then missing), so it is told first.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    key, text = _explain(data, root, first)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ConfigError(key, f"{path}: {text}{more}")


def _explain(data: Mapping[str, Any], root: type[Section], error: ErrorDetails) -> tuple[str, str]:
    """The dotted key of one error, and its line without the file's name."""
    if error["type"] == "restage":
        context = error["ctx"]
        key, value, allowed = context["key"], context["value"], context["allowed"]
        return key, f"{key} = {_toml(value)} cannot be used; allowed: {allowed}"
    key = _dotted(data, error["loc"])
    description, siblings = _described(root, error["loc"])
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(error["loc"][-1]), siblings, n=1)
        hint = f"did you mean {near[0]}?" if near else "it is not one of the keys"
        return key, f"{key} = {_toml(error['input'])}: unknown key; {hint} Allowed here: {', '.join(siblings)}"
    if error["type"] == "missing":
        return key, f"{key} is missing; allowed: {description}"
    return key, f"{key} = {_toml(error['input'])} cannot be used; allowed: {description}"


def _described(root: type[Section], loc: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """What is allowed at a place of the file, and the keys that its section knows."""
    model = root
    description, siblings = "", _keys(root)
    for part in loc:
        if not isinstance(part, str):
            if model is not root:  # an item that is not even a section
                description = f"a section headed [[{loc[0]}]], with two brackets" if len(loc) == 2 else description
            continue
        siblings = _keys(model)
        field = next((field for name, field in model.model_fields.items() if part == (field.alias or name)), None)
        if field is None:
            break
        kind = _section(field.annotation)
        if kind is not None:
            model, siblings = kind, _keys(kind)
        description = field.description or f"a section headed [{part}]"
    return description, siblings


def _section(annotation: object) -> type[Section] | None:
    """The section that a field holds, or holds several of."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def _keys(model: type[Section]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _dotted(data: Mapping[str, Any], loc: tuple[int | str, ...]) -> str:
    """``node.port``, or ``peer[archive].port`` with the peer's name, or ``peer[#2].port`` where it has none."""
    key = ""
    here: Any = data
    for part in loc:
        if isinstance(here, Mapping):
            here = here.get(str(part))
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        if isinstance(part, int):
            name = here.get("name") if isinstance(here, Mapping) else None
            key += f"[{name}]" if isinstance(name, str) and name.strip() else f"[#{part + 1}]"
        else:
            key += f".{part}" if key else part
    return key


def _toml(value: object) -> str:
    """A value as the file has it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        value = value.encode("unicode_escape").decode("ascii") if not value.isprintable() else value
        return f'"{value}"' if len(value) <= 60 else f'"{value[:60]}…"'
    text = "a table" if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
