"""Types that prove a check was made: only their maker can make them.

The idea is trio's ``NoPublicConstructor``. Because the class itself refuses to be called,
``dataclasses.replace`` cannot forge one either.
"""

from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class OnlyByMaker(type):
    """Metaclass of types that only their maker builds, with ``Type._make(...)``."""

    def __call__(cls, *_args: object, **_fields: object) -> NoReturn:
        raise TypeError(
            f"{cls.__name__} is proof of a check and comes only from the code that checks"
        )

    def _make(cls: type[T], *args: Any, **fields: Any) -> T:
        return type.__call__(cls, *args, **fields)  # type: ignore[no-any-return]
