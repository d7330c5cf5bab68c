"""Answers for tasks of an event loop, asyncio's or trio's: the methods with an ``a`` in front."""
