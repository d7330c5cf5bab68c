"""The SDK's server: what there is, and a thread for each call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp import types
from mcp.server import Server
from mcp.server.context import ServerRequestContext

import lookhere

from ..cancel import CancelFlag
from ..errors import LookhereError
from .coming import ComingModel
from .looking import Looking
from .tools import INSTRUCTIONS, TOOLS

CALLS = 64
"""Calls at a time; more wait. Their answers share batches, 16 at a time."""

PATIENCE = 40.0
"""Seconds that a call waits for the model: hosts give up after 60, and an agent that is told why asks again."""

NOT_YET = (
    "The model is still being loaded, or fetched. Nothing is wrong: make the same call again in half a minute, and "
    "tell the user if that happens often."
)


def make_server(looking: Looking, coming: ComingModel, patience: float = PATIENCE) -> Server[Any]:
    """A server with all tools, for any transport of the SDK."""
    limiter = anyio.CapacityLimiter(CALLS)
    annotations = types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    tools = [
        types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=tool.input_schema,
            output_schema=tool.output_schema,
            annotations=annotations,
        )
        for tool in TOOLS
    ]

    async def list_tools(context: object, asked: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: ServerRequestContext[Any], asked: types.CallToolRequestParams) -> types.CallToolResult:
        def tell(done: float, total: int) -> None:
            anyio.from_thread.run(context.session.report_progress, done, total)

        def work(flag: CancelFlag) -> dict[str, Any] | None:
            looking.read(asked.name, asked.arguments or {})  # what is wrong is said before the model is there
            model = coming.get(patience)
            return None if model is None else looking.call(asked.name, asked.arguments or {}, model, flag, tell)

        try:
            found = await _in_thread(work, limiter)
        except LookhereError as error:
            return _refused(str(error))
        except MemoryError:
            return _refused("No memory is left; send a smaller image.")
        return _refused(NOT_YET) if found is None else _told(found)

    return Server(
        "lookhere",
        title="lookhere",
        version=lookhere.__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _in_thread(
    work: Callable[[CancelFlag], dict[str, Any] | None], limiter: anyio.CapacityLimiter
) -> dict[str, Any] | None:
    """What the work gives. A call that is cancelled ends in the engine within one batch."""
    flag = CancelFlag()
    try:
        return await anyio.to_thread.run_sync(work, flag, abandon_on_cancel=True, limiter=limiter)
    finally:
        flag.set()


def _told(found: dict[str, Any]) -> types.CallToolResult:
    """As an object, and as its text for hosts that know no objects."""
    text = json.dumps(found, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=found)


def _refused(message: str) -> types.CallToolResult:
    """An error that the agent reads."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], is_error=True)
