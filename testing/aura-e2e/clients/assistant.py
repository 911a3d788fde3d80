# SPDX-License-Identifier: MIT OR Apache-2.0
"""An assistant, on the official SDK: lists the tools, and makes the calls that it is told.

    assistant.py AURA HOME NAME < calls

Each line of standard input is a JSON array [tool, arguments]; each answer is a line {"error": bool, "text": str}. The first
line that it prints has the names of the tools and what the server says of itself.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(program, home, name):
    server = StdioServerParameters(command=program, args=["--home", home, "mcp", "--as", name])
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        met = await session.initialize()
        tools = (await session.list_tools()).tools
        told = {"tools": sorted(tool.name for tool in tools), "instructions": met.instructions}
        print(json.dumps(told), flush=True)
        for line in sys.stdin:
            tool, arguments = json.loads(line)
            result = await session.call_tool(tool, arguments)
            text = "".join(block.text for block in result.content)
            print(json.dumps({"error": bool(result.is_error), "text": text}), flush=True)


asyncio.run(main(*sys.argv[1:]))
