"""Options in groups: a command takes a dataclass, its user an option for every field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its dataclasses as parameters of its own, for typer to read.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Size:
        ...     height: int = 1
        ...     width: int = 1
        >>> @grouped
        ... def area(size: Size, unit: str = "cm") -> None:
        ...     print(size.height * size.width, unit)
        >>> list(signature(area).parameters)
        ['height', 'width', 'unit']
        >>> area(height=2, width=3, unit="m")
        6 m

    Args:
        command: takes keywords; those annotated with a dataclass are groups.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = []
    for name, one in signature(command).parameters.items():
        if name in groups:
            parameters += _of_group(groups[name])
        else:
            parameters.append(one.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))

    def of_single_options(**given: Any) -> None:
        made = {
            name: group(**{one.name: given.pop(one.name) for one in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    of_single_options.__name__, of_single_options.__doc__ = command.__name__, command.__doc__
    of_single_options.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(of_single_options)["__signature__"] = Signature(parameters, return_annotation=None)
    return of_single_options


def _of_group(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            one.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(group)
    ]
