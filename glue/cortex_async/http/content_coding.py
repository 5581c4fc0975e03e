"""Content codings undone piece by piece (RFC 9110, section 8.4): what does not come to its own end is broken."""

import zlib
from collections.abc import AsyncIterator, Iterator

import aiohttp

from cortex_async import limits
from cortex_async.http.overrides import InvalidResponse

_GZIP = frozenset({"gzip", "x-gzip"})  # RFC 9110, section 8.4.1.3: the same
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def is_coded(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is in a content coding."""
    return _coding(response) not in ("", "identity")


async def decoded(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Read the body in pieces, its content coding undone.

    Raises InvalidResponse when that cannot be done, and aiohttp.ClientPayloadError when it ends too early.
    """
    coding = _coding(response)
    pieces = response.content.iter_chunked(limits.PIECE_BYTES)
    if coding in ("", "identity"):
        async for piece in pieces:
            yield piece
        return
    if coding not in _GZIP and coding != "deflate":
        raise InvalidResponse("Can not decode a content-encoding but gzip and deflate", response.status)
    decoder = _Decoder(coding)
    async for coded in pieces:
        try:
            for piece in decoder.feed(coded):
                yield piece
        except zlib.error as error:
            raise InvalidResponse(f"Can not decode content-encoding: {coding}", response.status) from error
    if not decoder.is_at_end:
        raise aiohttp.ClientPayloadError(f"the {coding} body ends too early")


def _coding(response: aiohttp.ClientResponse) -> str:
    return ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()


class _Decoder:
    """Undoes gzip, of several members too, or deflate, which some send without its zlib header."""

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding in _GZIP
        self._inflater = zlib.decompressobj(_GZIP_WINDOW) if self._is_gzip else None
        self.is_at_end = True  # nothing has begun

    def feed(self, coded: bytes) -> Iterator[bytes]:
        """Give back what these bytes stand for, never much at once."""
        while coded:
            if self.is_at_end:
                coded = self._begin(coded)
                if not coded:
                    return
            assert self._inflater is not None
            piece = self._inflater.decompress(coded, limits.PIECE_BYTES)
            self.is_at_end = self._inflater.eof
            coded = self._inflater.unused_data if self.is_at_end else self._inflater.unconsumed_tail
            if piece:
                yield piece
            elif not coded and not self.is_at_end:
                return
        while not self.is_at_end and self._inflater is not None:  # what is still in its window
            piece = self._inflater.decompress(b"", limits.PIECE_BYTES)
            self.is_at_end = self._inflater.eof
            if not piece:
                return
            yield piece

    def _begin(self, coded: bytes) -> bytes:
        """Begin the body, or another gzip member; zeros after the last are padding."""
        if self._is_gzip:
            if self._inflater is not None and self._inflater.eof:
                coded = coded.lstrip(b"\0")
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
        elif self._inflater is None:
            has_header = coded[0] & 0xF == 8
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        else:
            raise zlib.error("something follows the end")
        return coded
