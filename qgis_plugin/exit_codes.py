"""What the exit code of a process that broke off means to a user."""

import signal

_MEMORY = ("was killed, most likely because memory ran out. Use smaller tiles, chips or batches, "
           "or close other programs.")
_NATIVE = ("crashed in native code ({}). Try again; if it happens again, report it with the lines "
           "in the log.")
_LIBRARY = 'could not load one of its libraries. Run "Set up engine" again.'
_PROCESSOR = ('used instructions that this processor lacks. Run "Set up engine" again with another '
              "choice.")
_OUTSIDE = "was ended from outside QGIS. Try again."

_SIGNALS = {"SIGKILL": _MEMORY, "SIGTERM": _OUTSIDE, "SIGINT": _OUTSIDE, "SIGHUP": _OUTSIDE,
            "SIGILL": _PROCESSOR}
_WINDOWS = {
    0xC0000005: _NATIVE.format("access violation"), 0xC0000017: _MEMORY, 0xC000001D: _PROCESSOR,
    0xC000007B: _LIBRARY, 0xC00000FD: _NATIVE.format("stack overflow"), 0xC0000135: _LIBRARY,
    0xC0000139: _LIBRARY, 0xC000013A: _OUTSIDE, 0xC0000142: _LIBRARY,
    0xC0000409: _NATIVE.format("fail-fast exception")}
_BITS = 0xFFFFFFFF


def explain(code):
    """Return what an exit code means and what to do, as the rest of a sentence with "it".

    Args:
        code: As `subprocess` gives it: negative for a signal, on Windows an unsigned status; None
            if the process had not ended.
    """
    if code is None:
        return "closed its output but went on, and was ended. Try again."
    if code & _BITS in _WINDOWS:
        return _WINDOWS[code & _BITS]
    if code < 0:
        name = _signal_name(-code)
        return _SIGNALS.get(name, _NATIVE.format(name))
    return (f"ended with exit code {code}. Look at the lines in the log; if they do not help, "
            'run "Set up engine" again.')


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
