"""`micropython` for CPython, so that the sans-I/O parts of the firmware import there too."""


def const(value):
    return value


def native(function):
    return function


def viper(function):
    return function
