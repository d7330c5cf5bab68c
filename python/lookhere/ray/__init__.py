"""The jobs of ``lookhere batch`` on several machines, as a pipeline of Ray Data (extra ``ray``)."""

from .pipeline import answer_all

__all__ = ["answer_all"]
