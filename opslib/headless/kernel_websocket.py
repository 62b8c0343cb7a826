"""The line between a page and its kernel, which the server opens without waiting half a second for nothing.

jupyter_server opens it once a kernel was heard on each way; what the kernel says before the server has subscribed is
lost, and the server asks again after 0.5 s (``ZMQChannelsWebsocketConnection.nudge``). Here it is asked again sooner.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

AGAIN = 0.02
"""Seconds between two questions."""

MOST = 25
"""Questions in all; from then on the server's own suffice."""


class Connection(ZMQChannelsWebsocketConnection):
    """jupyter_server's own, which asks a silent kernel more often; ``ServerApp.kernel_websocket_connection_class``."""

    def nudge(self) -> asyncio.Future[None]:
        """Ask the kernel until it is heard on each way; the future is done then."""
        heard: asyncio.Future[None] = super().nudge()
        if not heard.done():
            self._asking = asyncio.ensure_future(self._ask(heard))
        return heard

    async def _ask(self, heard: asyncio.Future[None]) -> None:
        # Its answers are for nobody: what counts is that the kernel tells all of its state.
        control = self.kernel_manager.connect_control()
        control.on_recv(lambda said: None)
        try:
            for _ in range(MOST):
                await asyncio.wait([heard], timeout=AGAIN)
                if heard.done() or control.closed():
                    return
                with suppress(OSError):
                    self.session.send(control, "kernel_info_request")
        finally:
            control.close()
