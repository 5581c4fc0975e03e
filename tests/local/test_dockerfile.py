"""The command of an image, read from its Dockerfile."""

from pathlib import Path

import pytest
import yaml

from cortex_async_tools.local.dockerfile import image_command

from .running import ROOT, Arguments, Start

CASES = [
    ('FROM a\nCMD ["python", "server.py"]\n', [], ["python", "server.py"]),
    ("FROM a\ncmd python server.py --port $PORT\n", [], ["/bin/sh", "-c", "python server.py --port $PORT"]),
    ('FROM a\nENTRYPOINT ["uvicorn"]\nCMD ["main:app"]\n', [], ["uvicorn", "main:app"]),
    ('FROM a\nENTRYPOINT ["uvicorn"]\nCMD ["main:app"]\n', ["other:app"], ["uvicorn", "other:app"]),
    ("FROM a\nENTRYPOINT serve --fast\n", ["ignored"], ["/bin/sh", "-c", "serve --fast"]),
    ('FROM a\nCMD ["a"]\nFROM b\nCMD ["b"]\n', [], ["b"]),
    ('FROM a\nCMD ["a"]\nFROM b\n', [], []),
    ('FROM a\nCMD ["python", \\\n# why\n  "server.py"]\n', [], ["python", "server.py"]),
    ('FROM a\nRUN echo CMD ["no"]\n', [], []),
]


@pytest.mark.parametrize(("text", "args", "words"), CASES)
def test_what_an_image_runs(text: str, args: list[str], words: list[str]) -> None:
    assert image_command(text, args) == words


@pytest.mark.parametrize("name", ["hello-world", "warm-model"])
def test_the_examples_say_the_same_in_both_places(name: str) -> None:
    folder = ROOT / "values" / name
    (first, *_) = yaml.safe_load((folder / "values.yaml").read_text())["pod"]["containers"]
    if words := image_command((folder / "Dockerfile").read_text(), []):
        assert words == first["command"]


@pytest.mark.parametrize("place", ["Dockerfile", "Dockerfile.web", "web/Dockerfile"])
def test_an_api_whose_command_is_in_its_dockerfile_runs(local: Start, api: Arguments, place: str) -> None:
    arguments = api(command=None)
    file = Path(arguments[0]).parent / place
    file.parent.mkdir(exist_ok=True)
    file.write_text('FROM base\nCMD ["python", "container.py", "serve"]\n')

    run = local(*arguments, "--once", "exact").finish()

    assert run.code == 0, run.err
    assert "container web runs `python container.py serve`, from Dockerfile" in run.err
