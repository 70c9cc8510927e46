"""What every section of the settings shares."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator


def spelled(pattern: str, words: str) -> AfterValidator:
    """A check of a text's form whose message says in words what is allowed, not by a pattern.

    It does not repeat the text, which may be a password that stands in the wrong place.
    """
    fits = re.compile(pattern).fullmatch

    def check(value: str) -> str:
        if fits(value) is None:
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


class Contradiction(NamedTuple):
    """Settings of one section that are each allowed, but not together; and a sentence about it."""

    fields: tuple[str, ...]
    sentence: str


class Section(BaseModel):
    """A group of settings. Unknown keys are refused; values do not change after the start.

    A list may be written as text with commas: environments and command lines have no other.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    heading: ClassVar[str] = ""
    """What stands before the contradictions of this section."""

    def contradictions(self) -> Iterator[Contradiction]:
        """All of them; each names every field that it looks at."""
        yield from ()

    @classmethod
    def validate_sound(cls, values: Mapping[str, Any], broken: Collection[str]) -> None:
        """Look for contradictions where fields are broken: among the others only.

        Raises:
            ValidationError: there are some.
        """
        sound = {name: value for name, value in values.items() if name not in broken}
        cls.model_validate(sound, context={"broken": broken})

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        broken = (info.context or {}).get("broken", ())
        found = [found.sentence for found in self.contradictions() if not set(found.fields) & set(broken)]
        if found:
            raise ValueError(self.heading + "; ".join(found))
        return self

    @field_validator("*", mode="before")
    @classmethod
    def _split(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str) or info.field_name is None:
            return value
        annotation = cls.model_fields[info.field_name].annotation
        if not any(get_origin(part) in (tuple, list) for part in (annotation, *get_args(annotation))):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]
