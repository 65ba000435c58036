"""Faults of the command, told in a line."""

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from ostinato.clients.cli.faults import Fault, bad_input


class Asked(BaseModel):
    size: int = Field(ge=1)
    name: str = ""

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if value == "nobody":
            raise ValueError("is no name")
        return value


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"size": 1, "name": "nobody"}, "name: is no name (value: 'nobody')"),
        ({"size": 0, "name": "nobody"}, "size: Input should be greater than or equal to 1 (value: 0)"),
        ({}, "size: Field required"),
    ],
)
def test_the_first_fault_of_a_model_is_a_line_of_its_field_and_value(asked: dict[str, object], told: str) -> None:
    with pytest.raises(Fault) as fault, bad_input(ValidationError, about="--asked"):
        Asked.model_validate(asked)
    assert str(fault.value) == f"--asked: {told}"
