"""Plays script.json against /signaling with `websockets`, and prints what each client got.

play.mjs does the same with the `ws` package: both must see what transcript.txt says.
"""

import asyncio
import json
import pathlib
import sys

import websockets


async def main(url):
    steps = json.loads(pathlib.Path(__file__).with_name("script.json").read_text())
    clients = {}
    for step in steps:
        who, action = step["who"], step["do"]
        print(f"{who}> {step['text']}" if action == "send" else f"{who} {action}s")
        if action == "connect":
            clients[who] = await websockets.connect(url)
        elif action == "send":
            await clients[who].send(step["text"])
        else:
            await clients[who].close(1000)
            print(f"{who}< close {clients[who].close_code}")
        for name, count in step["get"].items():
            for _ in range(count):
                print(f"{name}< {await clients[name].recv()}")


asyncio.run(main(sys.argv[1]))
