"""samconfig.toml names parameters that the template has, with values that it takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

CONFIG = (Path(__file__).parents[2] / "samconfig.toml").read_text()
GIVEN = dict(
    pair.split("=", 1) for pair in tomllib.loads(CONFIG)["default"]["global"]["parameters"]["parameter_overrides"]
)


def test_every_value_is_the_default_of_the_template(template):
    """A stack that is deployed without the file is the same."""
    assert {name: str(template["Parameters"][name]["Default"]) for name in GIVEN} == GIVEN


def test_what_is_commented_out_could_be_put_in(template):
    suggested = re.findall(r'^ *# "(\w+)=(.*)",$', CONFIG, re.MULTILINE)

    assert suggested
    for name, value in suggested:
        parameter = template["Parameters"][name]
        assert value in parameter.get("AllowedValues", [value])
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value)


def test_the_file_holds_no_account_or_credential():
    assert not re.search(r"AKIA|aws_secret|profile *=", CONFIG)
