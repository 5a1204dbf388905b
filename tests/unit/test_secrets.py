from __future__ import annotations

import copy
import pickle

import pydantic
import pytest

from engine.secrets import Referenced, Secret


class Login(pydantic.BaseModel):
    password: Secret


def test_a_secret_shows_itself_nowhere() -> None:
    login = Login(password=Secret("open sesame"))
    shown = [repr(login), str(login.password), f"{login.password:>5}", login.model_dump_json(), str(login.model_dump())]
    assert not any("sesame" in text for text in shown)
    assert login.password.reveal() == "open sesame"


def test_a_secret_is_only_made_from_a_reference() -> None:
    assert Login.model_validate({"password": Referenced("x")}).password == Secret("x")
    with pytest.raises(pydantic.ValidationError) as caught:
        Login.model_validate({"password": "open sesame"})
    assert caught.value.errors()[0]["type"] == "CFG204"


def test_a_secret_leaves_no_process() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("x"))
    with pytest.raises(TypeError):
        copy.copy(Secret("x"))


def test_a_secret_has_a_schema_that_asks_for_a_reference() -> None:
    assert "env" in Login.model_json_schema()["properties"]["password"]["pattern"]
