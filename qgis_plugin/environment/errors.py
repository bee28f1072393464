"""The two ways in which a set-up ends without an environment."""

from __future__ import annotations


class SetupFailed(Exception):
    """The environment could not be made; nothing half-made was left.

    Args:
        finding: What was found, as a sentence without its full stop.
        cure: What the user can do about it, as a sentence without its full stop; empty if the
            finding says it already.
        details: The last lines that the installers said; empty if they said nothing.
    """

    def __init__(self, finding: str, cure: str = "", details: str = "") -> None:
        self.finding = finding
        self.cure = cure
        self.details = details
        super().__init__(f"{finding}. {cure}." if cure else f"{finding}.")


class SetupCancelled(Exception):
    """The user cancelled; nothing half-made was left."""
