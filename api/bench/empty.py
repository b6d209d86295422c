"""An empty FastAPI route: what answering HTTP in Python costs before anything is done."""

from fastapi import FastAPI

app = FastAPI(openapi_url=None)


@app.get("/empty")
async def empty() -> str:
    """Answer nothing."""
    return ""
