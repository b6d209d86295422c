"""How much anyone may send: a body over the limit is refused before it is held in memory."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 18
MAX_IMPORT_BYTES = 1 << 24
"""Of an import, which is taken in as it comes: some 80,000 messages; packed and unpacked alike."""
MAX_IMPORT_LINES = 100_000
"""Of an import too: each is answered, and the answers are held until all is taken."""
MOST_ERRORS = 100
"""Fields that one problem names, so that a small request never has a huge answer."""
_IMPORTS = "/imports"


class BodyLimit:
    """Counts a request's body as it comes, whatever its header says of its length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one call on."""
        counted = 0
        whole = str(scope.get("path", "")).endswith(_IMPORTS)
        limit = MAX_IMPORT_BYTES if whole else MAX_BODY_BYTES

        async def counting() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > limit:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, counting if scope["type"] == "http" else receive, send)
