"""Refreshing credentials: who waits for it, how often it is tried, and what its failures become."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials

from cortex_async.aws.credentials import Credentials
from cortex_async.errors import CredentialsError

Keys = dict[str, str]


def keys(name: str, seconds: float) -> Keys:
    """What a provider gives: keys that expire after so many seconds."""
    expiry = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"access_key": name, "secret_key": "s", "token": "t", "expiry_time": expiry.isoformat()}


class Provider:
    """Stands for STS: answers in turn (the last for ever), each time once it is let go."""

    def __init__(self) -> None:
        self.answers: list[Keys | Exception] = []
        self.calls = 0
        self.called = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.clock_behind = timedelta(0)

    def __call__(self) -> Keys:
        self.calls += 1
        self.called.set()
        self.gate.wait(60)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def found(self, first: Keys) -> RefreshableCredentials:
        """What botocore finds: credentials that begin with `first`, and see the time as told."""
        return RefreshableCredentials(
            first["access_key"],
            first["secret_key"],
            first["token"],
            datetime.fromisoformat(first["expiry_time"]),
            self,
            "test",
            lambda: datetime.now(UTC) - self.clock_behind,
        )


Found = Callable[[Keys], Credentials]


@pytest.fixture
def sts() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.gate.set()


@pytest.fixture
def find(sts: Provider, monkeypatch: pytest.MonkeyPatch) -> Found:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    def find(first: Keys) -> Credentials:
        found = sts.found(first)
        monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: found)
        return Credentials()

    return find


@pytest.mark.parametrize("token", [{}, {"AWS_SESSION_TOKEN": "t"}, {"AWS_SECURITY_TOKEN": "t"}], ids=str)
async def test_static_keys_of_the_environment_are_those_that_botocore_finds(
    monkeypatch: pytest.MonkeyPatch, token: dict[str, str]
) -> None:
    for name, value in ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"} | token).items():
        monkeypatch.setenv(name, value)
    found = botocore.session.Session().get_credentials().get_frozen_credentials()
    static = await Credentials().current()
    assert (static.access_key, static.secret_key, static.token) == (
        found.access_key,
        found.secret_key,
        found.token,
    )


async def test_half_a_set_of_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(CredentialsError, match="missing: AWS_SECRET_ACCESS_KEY"):
        await Credentials().current()


def test_static_keys_need_no_botocore() -> None:
    """It would take 10 MB of each process, and a third of its start."""
    look = "import asyncio, sys; from cortex_async.aws.credentials import Credentials as C; "
    look += "asyncio.run(C().current()); print([each for each in sys.modules if 'botocore' in each])"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    shown = subprocess.run([sys.executable, "-c", look], env=keys, capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


async def nearly_expired(sts: Provider, find: Found) -> Credentials:
    """Credentials at hand that are valid 14 minutes more, which is when botocore begins to refresh them."""
    sts.clock_behind = timedelta(hours=1)
    credentials = find(keys("old", 14 * 60))
    assert (await credentials.current()).access_key == "old"
    sts.clock_behind = timedelta(0)
    return credentials


async def until_called(sts: Provider) -> None:
    assert await asyncio.to_thread(sts.called.wait, 60)


async def test_calls_go_on_with_valid_keys_while_a_refresh_hangs(sts: Provider, find: Found) -> None:
    credentials = await nearly_expired(sts, find)
    sts.answers = [keys("new", 3600)]
    sts.gate.clear()
    async with asyncio.timeout(60):
        assert (await credentials.current()).access_key == "old"
        await until_called(sts)
        for _ in range(20):
            assert (await credentials.current()).access_key == "old"
            await asyncio.sleep(0.002)
        assert sts.calls == 1
        sts.gate.set()
        name = "old"
        while name != "new":
            await asyncio.sleep(0.01)
            name = (await credentials.current()).access_key
    assert sts.calls == 1


@pytest.mark.parametrize("answer", [OSError("STS out of reach"), keys("stale", -60)])
async def test_refresh_that_failed_is_not_tried_again_at_once(
    sts: Provider, find: Found, answer: Keys | Exception
) -> None:
    credentials = await nearly_expired(sts, find)
    sts.answers = [answer]
    assert (await credentials.current()).access_key == "old"
    await until_called(sts)
    for _ in range(50):
        assert (await credentials.current()).access_key == "old"
        await asyncio.sleep(0.002)
    assert sts.calls == 1


async def test_keys_are_used_until_they_expire_though_botocore_insists_on_new_ones(
    sts: Provider, find: Found
) -> None:
    sts.clock_behind = timedelta(hours=1)
    credentials = find(keys("old", 60))
    await credentials.current()
    sts.clock_behind = timedelta(0)
    sts.answers = [OSError("STS out of reach")]
    for _ in range(10):
        assert (await credentials.current()).access_key == "old"
        await asyncio.sleep(0.002)


async def test_callers_share_one_refresh_of_expired_keys(sts: Provider, find: Found) -> None:
    credentials = find(keys("old", -60))
    sts.answers = [keys("new", 3600)]
    sts.gate.clear()
    callers = [asyncio.create_task(credentials.current()) for _ in range(5)]
    await until_called(sts)
    assert not any(caller.done() for caller in callers)
    sts.gate.set()
    assert {found.access_key for found in await asyncio.gather(*callers)} == {"new"}
    assert sts.calls == 1


async def test_failure_is_told_to_all_who_wait_for_it(sts: Provider, find: Found) -> None:
    credentials = find(keys("old", -60))
    sts.answers = [OSError("STS out of reach")]
    told = await asyncio.gather(*[credentials.current() for _ in range(5)], return_exceptions=True)
    assert [type(error) for error in told] == [CredentialsError] * 5
    assert sts.calls == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (keys("stale", -60), "still expired"),
        (KeyError("Credentials"), "Credentials"),
        (ValueError("Expecting value"), "Expecting value"),
        (AssertionError(), "AssertionError"),
    ],
)
async def test_every_failure_of_a_provider_can_be_retried(
    sts: Provider, find: Found, answer: Keys | Exception, reason: str
) -> None:
    credentials = find(keys("old", -60))
    sts.answers = [answer]
    with pytest.raises(CredentialsError, match=reason):
        await credentials.current()


async def test_caller_may_be_cancelled_while_the_refresh_goes_on(sts: Provider, find: Found) -> None:
    credentials = find(keys("old", -60))
    sts.answers = [keys("new", 3600)]
    sts.gate.clear()
    caller = asyncio.create_task(credentials.current())
    other = asyncio.create_task(credentials.current())
    await until_called(sts)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    sts.gate.set()
    assert (await other).access_key == "new"


async def test_nobody_waits_for_keys_longer_than_he_would(sts: Provider, find: Found) -> None:
    credentials = find(keys("old", -60))
    sts.answers = [keys("new", 3600)]
    sts.gate.clear()
    async with asyncio.timeout(60):
        with pytest.raises(CredentialsError, match="no answer in time"):
            await credentials.current(asyncio.get_running_loop().time() + 0.1)
    sts.gate.set()
    assert (await credentials.current()).access_key == "new"


async def test_keys_that_aws_calls_expired_are_looked_up_anew(sts: Provider, find: Found) -> None:
    credentials = find(keys("old", 3600))
    old = await credentials.current()
    assert old.access_key == "old"
    credentials.expired(old)
    sts.clock_behind = timedelta(hours=-1)
    sts.answers = [keys("new", 7200)]
    assert (await credentials.current()).access_key == "new"
    credentials.expired(old)  # a late answer to a call that was signed before
    assert (await credentials.current()).access_key == "new"
    assert sts.calls == 1
