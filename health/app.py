"""The HTTP API and the page. Reads the board and the ledger, changes nothing."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from bus_schemas.errors import Unreachable
from health import views
from health.board import Board
from health.checks import unhealthy, unready, warnings
from health.metrics import CONTENT_TYPE, exposition
from health.queries import Queries

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
_PAGE_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_NOW = {"Cache-Control": "no-store"}

Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows, newest first.")]
Text = Annotated[str | None, Query(max_length=200)]


def make_app(board: Board, queries: Queries, namespace: str) -> FastAPI:
    """The application.

    Args:
        board: the state of all services.
        queries: the ledger.
        namespace: shown on the page.
    """
    app = FastAPI(
        title="Causeway health",
        description="State of the services, and the ledger.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    page = (files("health") / "page.html").read_text(encoding="utf-8")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def index() -> HTMLResponse:
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    _probes(app, board)
    _state(app, board, namespace)
    _ledger(app, queries)

    @app.exception_handler(Unreachable)
    async def unreachable(_request: Request, error: Unreachable) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    return app


def _probes(app: FastAPI, board: Board) -> None:
    @app.get("/healthz", summary="Whether this process answers: for a liveness probe")
    def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/health", summary="200, or 503 with the reasons why the system is not healthy")
    def health() -> JSONResponse:
        with board.fleet() as (fleet, now):
            found, known = unhealthy(fleet, now), warnings(fleet, now)
        return JSONResponse(views.verdict(found, known), 503 if found else 200, _NOW)

    @app.get("/ready", summary="As /health, and 503 until bus and ledger have been looked at once")
    def ready() -> JSONResponse:
        with board.fleet() as (fleet, now):
            found, known = unready(fleet, now), warnings(fleet, now)
        return JSONResponse(views.verdict(found, known), 503 if found else 200, _NOW)


def _state(app: FastAPI, board: Board, namespace: str) -> None:
    @app.get("/metrics", summary="Prometheus: all services in one scrape")
    def prometheus() -> Response:
        return Response(exposition(board), media_type=CONTENT_TYPE)

    @app.get("/api/services", summary="Replicas, units, lags, dead letters")
    def services() -> JSONResponse:
        with board.fleet() as (fleet, now):
            return JSONResponse(views.services(fleet, now), headers=_NOW)

    @app.get("/api/metrics", summary="Health, equity, positions, decisions and halts")
    def metrics() -> JSONResponse:
        with board.fleet() as (fleet, now):
            return JSONResponse(views.metrics(fleet, namespace, now), headers=_NOW)


def _ledger(app: FastAPI, queries: Queries) -> None:
    @app.get("/api/trades", summary="Closed trades")
    def trades(symbol: Text = None, limit: Limit = 50) -> list[dict[str, Any]]:
        return [views.plain(row) for row in queries.trades(symbol, limit)]

    @app.get("/api/decisions", summary="Why a trade was taken or not, with evidence")
    def decisions(
        symbol: Text = None,
        stage: Text = None,
        outcome: Text = None,
        signal_id: Text = None,
        limit: Limit = 50,
    ) -> list[dict[str, Any]]:
        found = queries.decisions(symbol, stage, outcome, signal_id, limit)
        return [views.plain(row) for row in found]

    @app.get("/api/halts", summary="Halts, controls, and what ended them")
    def halts(limit: Limit = 50) -> list[dict[str, Any]]:
        return [views.plain(row) for row in queries.halts(limit)]
