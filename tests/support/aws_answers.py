"""A server that answers every call as a test tells it to, in the place of AWS."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from cortex_async.aws.client import AwsSession
from cortex_async.aws.s3 import S3
from cortex_async.backoff import PERSISTENT, RetryPolicy
from cortex_async.config import AwsConfig

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def aws(handler: Handler) -> AsyncIterator[AwsSession]:
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with AwsSession(AwsConfig("us-west-2", url)) as session:
            yield session
    finally:
        await runner.cleanup()


@asynccontextmanager
async def bucket(handler: Handler, policy: RetryPolicy = PERSISTENT) -> AsyncIterator[S3]:
    async with aws(handler) as session:
        yield S3(session, "bucket", policy)


def error(status: int, code: str) -> web.Response:
    """An error as S3 words it."""
    return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")
