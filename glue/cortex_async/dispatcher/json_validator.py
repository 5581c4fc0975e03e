"""Says whether a stream of bytes is one JSON text (RFC 8259), without building the document.

The pieces arrive in any size; what is kept between them is one byte a nesting level and at most one
unfinished token. Regular expressions do the walking: a run of members without deeper nesting is one match,
so that large arrays and strings pass at the speed of the regex engine.
"""

import codecs
import functools
import json
import re

from cortex_async.errors import CortexError

# RFC 8259, section 9, lets a parser set limits on nesting and on numbers.
MAX_DEPTH = 10_000
MAX_TOKEN = 65_536  # characters of a number

_WS = r"[ \t\n\r]*+"
_STRING_BODY = r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+'
_STRING = f'"{_STRING_BODY}"'
_SCALAR = rf"(?>{_STRING}|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?![0-9.eE+-])|true|false|null)"
_ONE_MATCH_DEPTH = 3  # levels of nesting that pass as one match; each doubles the size of the expression


def _members(item: str, opening: str, closing: str) -> str:
    return rf"{opening}{_WS}(?:{item}{_WS}(?:,{_WS}(?!{closing})|(?={closing})))*+{closing}"


def _simple_value(depth: int) -> str:
    if depth == 0:
        return _SCALAR
    inner = _simple_value(depth - 1)
    array = _members(inner, r"\[", r"\]")
    object_ = _members(f"{_STRING}{_WS}:{_WS}{inner}", r"\{", r"\}")
    return f"(?>{_SCALAR}|{array}|{object_})"


@functools.cache  # compiled when it is needed, since that takes 9 ms
def _run_of_values() -> re.Pattern[str]:
    return re.compile(f"(?>{_simple_value(_ONE_MATCH_DEPTH)}{_WS},{_WS})*+")


@functools.cache
def _run_of_members() -> re.Pattern[str]:
    return re.compile(f"(?>{_STRING}{_WS}:{_WS}{_simple_value(_ONE_MATCH_DEPTH)}{_WS},{_WS})*+")


_whitespace = re.compile(_WS).match
_string_body = re.compile(_STRING_BODY).match
_scalar = re.compile(_SCALAR).match
_unfinished = re.compile(r"[-+.eE0-9]*+|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?").fullmatch

_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END, _DONE = (
    "a value",
    "a value or ']'",
    "a string as the next key",
    "a string as a key or '}'",
    "':'",
    "',' or the end of the array or object",
    "nothing more",
)


class InvalidJson(CortexError):
    """The bytes are not one JSON text; the message says where, what was expected and what came."""


def check(body: bytes) -> None:
    """Raise InvalidJson unless `body` is one JSON text, as a JsonValidator would: for bodies that are small.

    Python's own parser is ten times as fast, but it builds the document, does not say what was expected, and
    nests less deep. So where it accepts, that settles it; else the validator has the word.
    """
    try:
        _decoder.decode(body.decode())
    except (ValueError, RecursionError):
        validator = JsonValidator()
        validator.feed(body)
        validator.close()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


# NaN and Infinity are no JSON; integers stay text, as converting a long one is slow, and an error beyond a limit.
_decoder = json.JSONDecoder(parse_constant=_refuse, parse_int=str)


class JsonValidator:
    """`feed` every piece, then `close`; both raise InvalidJson, and `close` alone accepts."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""  # what has come and is not consumed yet
        self._at = 0
        self._consumed = 0  # characters of earlier pieces, for messages
        self._nesting = bytearray()  # b"[" or b"{" a level
        self._expected = _VALUE
        self._in_string = False
        self._final = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; raises InvalidJson as soon as no continuation can be valid."""
        try:
            fresh = self._decode(piece, self._final)
        except UnicodeDecodeError as error:
            raise InvalidJson(f"not valid UTF-8 ({error.reason})") from error
        self._consumed += self._at
        self._text = self._text[self._at :] + fresh
        self._at = 0
        while self._step():
            pass
        if len(self._text) - self._at > MAX_TOKEN:
            raise self._error(f"a number of more than {MAX_TOKEN} characters is not accepted")

    def close(self) -> None:
        """Say that nothing more comes; raises InvalidJson when the text is not complete."""
        self._final = True
        self.feed(b"")
        if self._in_string:
            raise InvalidJson("the text ends within a string")
        if self._expected is not _DONE:
            raise InvalidJson(f"the text ends where {self._expected} was expected")

    def _step(self) -> bool:
        """Consume one token, or one run of members; False when more text is needed."""
        if self._in_string:
            return self._continue_string()
        text = self._text
        self._at = _whitespace(text, self._at).end()  # type: ignore[union-attr]
        if self._nesting and self._expected in (_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END):
            self._skip_run()
        if self._at == len(text):
            return False
        character = text[self._at]
        if self._expected is _VALUE or (self._expected is _VALUE_OR_END and character != "]"):
            return self._value(character)
        if character == '"' and self._expected in (_KEY, _KEY_OR_END):
            self._in_string = True
        elif character == ":" and self._expected is _COLON:
            self._expected = _VALUE
        elif character == "," and self._expected is _COMMA_OR_END:
            self._expected = _KEY if self._nesting[-1:] == b"{" else _VALUE
        elif character in "]}" and self._closes(character):
            self._nesting.pop()
            self._after_value()
        else:
            raise self._unexpected()
        self._at += 1
        return True

    def _skip_run(self) -> None:
        in_object = self._nesting[-1:] == b"{"
        if in_object and self._expected is _VALUE:
            return
        run = _run_of_members() if in_object else _run_of_values()
        end = run.match(self._text, self._at).end()  # type: ignore[union-attr]
        if end > self._at:
            self._at = end
            self._expected = _KEY if in_object else _VALUE

    def _value(self, character: str) -> bool:
        if character in "[{":
            if len(self._nesting) == MAX_DEPTH:
                raise self._error(f"nesting deeper than {MAX_DEPTH} levels is not accepted")
            self._nesting += character.encode()
            self._expected = _VALUE_OR_END if character == "[" else _KEY_OR_END
            self._at += 1
            return True
        if character == '"':
            self._in_string = True
            self._expected = _COMMA_OR_END  # once the string has ended
            self._at += 1
            return True
        found = _scalar(self._text, self._at)
        at_the_end = found is None or found.end() == len(self._text)
        if at_the_end and not self._final and _unfinished(self._text, self._at):
            return False
        if found is None:
            raise self._unexpected()
        self._at = found.end()
        self._after_value()
        return True

    def _continue_string(self) -> bool:
        self._at = _string_body(self._text, self._at).end()  # type: ignore[union-attr]
        rest = self._text[self._at : self._at + 6]
        if rest[:1] == '"':
            self._at += 1
            self._in_string = False
            if self._expected in (_KEY, _KEY_OR_END):
                self._expected = _COLON
            else:
                self._after_value()
            return True
        if not rest or (rest[0] == "\\" and len(rest) < 6 and re.fullmatch(r"\\(u[0-9a-fA-F]*)?", rest)):
            return False
        what = "escape" if rest[0] == "\\" else "control character"
        raise self._error(f"invalid {what} in a string")

    def _closes(self, character: str) -> bool:
        if character == "]":
            return self._nesting[-1:] == b"[" and self._expected in (_VALUE_OR_END, _COMMA_OR_END)
        return self._nesting[-1:] == b"{" and self._expected in (_KEY_OR_END, _COMMA_OR_END)

    def _after_value(self) -> None:
        self._expected = _COMMA_OR_END if self._nesting else _DONE

    def _unexpected(self) -> InvalidJson:
        return self._error(f"expected {self._expected}, found {self._text[self._at]!r}")

    def _error(self, message: str) -> InvalidJson:
        return InvalidJson(f"{message} (character {self._consumed + self._at})")
