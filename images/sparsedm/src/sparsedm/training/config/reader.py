"""Reads the fields of one object, noting every problem as a sentence that names the field and the remedy."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from sparsedm.sparsity.pattern import Pattern
from sparsedm.uris import REMOTE, REMOTE_OUTPUT

_DECIMAL = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_URI = re.compile(rf"^(?:pvc://(?=[^/]{{1,253}}/){_DNS_NAME}/[^?#]+|file:///[^?#]+)$")
_OUTPUT_URI = "or s3://BUCKET/PATH, gs://BUCKET/PATH or oci://REGISTRY/REPOSITORY:TAG"
_LOCAL_URI = "pvc://CLAIM/PATH or file:///PATH"
_REMOTE_URI = (
    "or s3://BUCKET/PATH, gs://BUCKET/PATH, https://HOST/PATH, hf://OWNER/REPO[@REVISION][/PATH] or "
    "oci://REGISTRY/REPOSITORY:TAG[@DIGEST][/FILE]"
)


class Problems(list[str]):
    """Collects sentences; each names a field by its dotted path as in the custom resource."""

    def add(self, path: str, complaint: str) -> None:
        self.append(f"{path} {complaint}")


class Reader:
    """Reads one object's fields, noting every problem and unknown field, never stopping at the first."""

    def __init__(self, value: Any, path: str, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self.seen: set[str] = set()
        self.value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        if value is not None and not isinstance(value, Mapping):
            problems.add(path, f"must be an object with named fields, not {shown(value)}.")

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self.value.get(name) is not None

    def take(self, name: str) -> Any:
        self.seen.add(name)
        return self.value.get(name)

    def object(self, name: str) -> Reader:
        return Reader(self.take(name), self.at(name), self.problems)

    def complain(self, name: str, complaint: str) -> None:
        self.problems.add(self.at(name), complaint)

    def string(self, name: str, default: str | None = None) -> str | None:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, str) or not value:
            self.complain(name, f"must be a text, not {shown(value)}.")
            return default
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None) -> str:
        value = self.take(name)
        if value is None and default is not None:
            return default
        if value not in choices:
            self.complain(name, f"must be one of {', '.join(choices)}, not {shown(value)}.")
            return default or choices[0]
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.complain(name, f"must be a whole number from {low} to {high}, not {shown(value)}.")
            return default
        return value

    def required_integer(self, name: str, low: int, high: int) -> int:
        if not self.has(name):
            self.complain(name, f"is required: a whole number from {low} to {high}.")
        return self.integer(name, low, low, high)

    def decimal(self, name: str, default: str, low: float, high: float, open_low: bool = False) -> float:
        value = self.take(name)
        return self._decimal(name, default if value is None else value, float(default), low, high, open_low)

    def decimals(self, name: str, default: tuple[str, ...], low: float, high: float) -> tuple[float, ...]:
        value = self.take(name)
        value = list(default) if value is None else value
        fallback = tuple(float(d) for d in default)
        if not isinstance(value, list) or len(value) != len(default):
            self.complain(name, f"must be a list of {len(default)} decimals, not {shown(value)}.")
            return fallback
        pairs = zip(value, fallback, strict=True)
        return tuple(self._decimal(f"{name}[{i}]", v, d, low, high, False) for i, (v, d) in enumerate(pairs))

    def _decimal(
        self, name: str, value: Any, default: float, low: float, high: float, open_low: bool
    ) -> float:
        number = _number(value)
        if number is None or not low <= number <= high or (open_low and number == low):
            span = f"above {low:g} and at most {high:g}" if open_low else f"from {low:g} to {high:g}"
            self.complain(
                name, f'must be a decimal {span}, as a text like "{default:g}", not {shown(value)}.'
            )
            return default
        return number

    def boolean(self, name: str, default: bool) -> bool:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.complain(name, f"must be true or false, not {shown(value)}.")
            return default
        return value

    def strings(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.complain(name, f"must be a list of texts, not {shown(value)}.")
            return default
        return tuple(value)

    def pattern(self, name: str, default: str | None) -> Pattern | None:
        value = self.take(name)
        value = default if value is None else value
        try:
            return Pattern.parse(value)
        except (ValueError, TypeError):
            self.complain(name, f'must be N:M with 1 <= N < M <= 32, in quotes as "2:4", not {shown(value)}.')
            return Pattern.parse(default) if default else None

    def uri(self, name: str, required: bool = True, output: bool = False) -> str | None:
        """output: whether it is written, which not every scheme can."""
        value = self.take(name)
        if value is None and not required:
            return None
        want = f"{_LOCAL_URI}, {_OUTPUT_URI if output else _REMOTE_URI}"
        if value is None:
            self.complain(name, f"is required: give {want}.")
            return None
        if not isinstance(value, str) or not _is_uri(value, output):
            self.complain(
                name, f'must be {want}, without "?", "#", ".." or "//" in the path, not {shown(value)}.'
            )
            return None
        return value

    def finish(self, ignored: tuple[str, ...] = ()) -> None:
        """Complains about fields that nothing has read."""
        for name in self.value:
            if name in self.seen or name in ignored:
                continue
            near = difflib.get_close_matches(str(name), list(self.seen), n=1)
            hint = (
                f"did you mean {self.at(near[0])}?"
                if near
                else f"fields here are {', '.join(sorted(self.seen))}."
            )
            self.complain(str(name), f"is not a field: {hint}")


def shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    return None


def _is_uri(value: str, output: bool) -> bool:
    remote = REMOTE.fullmatch(value) and (not output or REMOTE_OUTPUT.fullmatch(value))
    if not remote and not _URI.fullmatch(value):
        return False
    path = value.partition("://")[2]
    return ".." not in path.split("/") and "//" not in path
