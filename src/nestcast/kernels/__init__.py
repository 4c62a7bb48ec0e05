"""The native CPU kernel, which only `nestcast.nn` runs, and the choice among its builds."""

from __future__ import annotations

import os

from nestcast.errors import OptionError

VARIABLE = "NESTCAST_KERNEL"


def instruction_sets() -> list[str]:
    """Builds of the kernel that this CPU can run, the fastest first; none where none was built.

    Example:
        >>> set(instruction_sets()) <= {"avx512", "avx2", "sse4", "generic"}
        True
    """
    try:
        from nestcast.kernels import _native
    except ImportError:  # nothing to build it with when nestcast was installed
        return []
    return _native.instruction_sets()


def choose(wanted: str | None = None) -> str | None:
    """The build to run, or nothing for plain PyTorch.

    Example:
        >>> choose("reference") is None
        True

    Args:
        wanted: "reference" (plain PyTorch), "native" (the fastest build) or the name of a build;
            if not given, what the environment variable NESTCAST_KERNEL says, else the fastest
            build there is.

    Raises:
        OptionError: what is wanted does not exist here.
    """
    wanted = wanted or os.environ.get(VARIABLE)
    names = instruction_sets()
    if wanted in names:
        return wanted
    if wanted == "reference" or not (wanted or names):
        return None
    if wanted in (None, "native") and names:
        return names[0]
    choices = ["reference", *(["native"] if names else []), *names]
    raise OptionError(f"{VARIABLE} is {wanted!r}; here it can be {', '.join(choices)}.")


def describe(name: str | None) -> str:
    """In words, what `choose` chose.

    Example:
        >>> describe("avx2")
        'native kernel for avx2, whole sequences at a time; plain PyTorch for a few steps'
    """
    if name is None:
        why = "" if instruction_sets() else "; the native kernel was not built"
        return f"plain PyTorch, one step at a time{why}"
    return f"native kernel for {name}, whole sequences at a time; plain PyTorch for a few steps"
