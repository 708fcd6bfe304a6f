"""The one error that the person on call reads."""


class StrataError(Exception):
    """A refusal: its text is one sentence that names the thing and the mend."""


def shown(text: str, longest: int = 40) -> str:
    """Return a text that landed, or was given, so that it does nothing to a terminal: no control characters, short."""
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
