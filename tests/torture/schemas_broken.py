"""A small application that breaks its word: the control of the trial of schemas.

One route answers outside its schema, another fails, a third wants more than it tells; the fourth
is as it says.
"""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

app = FastAPI()


class Counted(BaseModel):
    """What each of them promises."""

    count: int


@app.get("/honest")
def honest(count: int = 0) -> Counted:
    """Answer as promised."""
    return Counted(count=count)


@app.get("/liar", responses={200: {"model": Counted}})
def liar(count: int = 0) -> dict[str, Any]:
    """Answer something else than promised."""
    return {"count": f"about {count}"}


@app.get("/brittle")
def brittle(count: int = 0) -> Counted:
    """Fail where it was not thought of."""
    return Counted(count=1 // count)


class Refused(BaseModel):
    """What is told of a request that is not understood."""

    type: str
    errors: list[dict[str, str]]


@app.get("/picky", responses={422: {"model": Refused}})
def picky(count: int = 0) -> JSONResponse:
    """Want what the document does not tell of."""
    missing = {"field": "more", "message": f"is missing beside {count}"}
    return JSONResponse({"type": "/problems/invalid", "errors": [missing]}, 422)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
