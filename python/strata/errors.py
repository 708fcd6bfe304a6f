"""The one error that the person on call reads."""


class StrataError(Exception):
    """A refusal: its text is one sentence that names the thing and the mend."""
