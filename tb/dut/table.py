"""Reading a TOML table field by field: what is missing, unknown or of the wrong kind is told by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any


class DutError(Exception):
    """A description that cannot be used; the message names file and field, and what would be right."""


_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class Table:
    """One table of a TOML file; `where` names it in messages.

    Every `take` marks a field as known; `end` refuses the others.
    """

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        self.where = where
        self._values = values
        self._known: set[str] = set()

    def take(self, name: str, kind: type, default: Any = None) -> Any:
        """The field, of `kind`; `default` where it is missing, an error where there is no default."""
        self._known.add(name)
        if name not in self._values:
            if default is None:
                raise DutError(f"{self.where}: {name} is missing; it must be {_WORDS[kind]}.")
            return default
        value = self._values[name]
        if type(value) is not kind:
            raise DutError(f"{self.where}: {name} must be {_WORDS[kind]}, not {value!r}.")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """A text that must be one of `choices`."""
        value = str(self.take(name, str, default))
        if value not in choices:
            raise DutError(f"{self.where}: {name} must be one of {', '.join(choices)}, not {value!r}.")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts, empty where it is missing."""
        values = self.take(name, list, [])
        for value in values:
            if not isinstance(value, str):
                raise DutError(f"{self.where}: {name} must be a list of texts; {value!r} is none.")
        return list(values)

    def raw(self, name: str, default: Any) -> Any:
        """The field as it stands; the caller checks it."""
        self._known.add(name)
        return self._values.get(name, default)

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._values

    def table(self, name: str, *, required: bool = True) -> Table:
        """A table inside this one, an empty one where it may be missing."""
        values = self.take(name, dict, None if required else {})
        return Table(f"{self.where}: [{name}]", values)

    def rest(self) -> dict[str, Any]:
        """Every field that was not taken."""
        return {name: value for name, value in self._values.items() if name not in self._known}

    def end(self) -> None:
        """Refuse what nobody took."""
        for name in self.rest():
            near = difflib.get_close_matches(name, self._known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            known = ", ".join(sorted(self._known))
            raise DutError(f"{self.where}: {name} is unknown.{hint} Known: {known}.")
