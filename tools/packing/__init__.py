"""Packages for the station: what they hold (`description`), making (`build`), judging (`check`), keys (`keys`)."""


class PackError(Exception):
    """Something in what the person gave; the text names it, its value and what is allowed."""
