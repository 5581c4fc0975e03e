"""HTTP as all of our servers speak it, and what of aiohttp and asyncio is overridden for that."""
