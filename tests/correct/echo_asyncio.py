"""A correct echo server, with asyncio: python echo_asyncio.py PORT"""

import asyncio
import sys


async def echo(reader, writer):
    try:
        while chunk := await reader.read(4096):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(echo, "localhost", int(sys.argv[1]))
    async with server:
        await server.serve_forever()


asyncio.run(main())
