"""The page at `/`: plain files, and those that it shares with exported pages."""

from importlib import resources

from fastapi import APIRouter, HTTPException, Response

OWN, SHARED = "rnnzoo.serve", "rnnzoo.export.html"
FILES = {
    "server.js": (OWN, "page/server.js"),
    "server.css": (OWN, "page/server.css"),
    "shading.js": (SHARED, "shading.js"),
    "reading.js": (SHARED, "reading.js"),
    "page.css": (SHARED, "page.css"),
}
TYPES = {"js": "text/javascript", "css": "text/css"}
HEADERS = {
    # Nothing comes from elsewhere, and nothing goes there.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # another version of rnnzoo may answer next time
}


def make_router() -> APIRouter:
    """Makes the routes of the page and of its files."""
    router = APIRouter(include_in_schema=False)
    page = _read(OWN, "page/index.html").replace("{{sheet}}", _read(SHARED, "sheet.html"))
    files = {name: _read(*place) for name, place in FILES.items()}

    @router.get("/")
    async def index() -> Response:
        return Response(page, media_type="text/html", headers=HEADERS)

    @router.get("/page/{name}")
    async def file(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        kind = TYPES[name.rpartition(".")[2]]
        return Response(files[name], media_type=kind, headers=HEADERS)

    return router


def _read(package: str, path: str) -> str:
    return resources.files(package).joinpath(path).read_text("utf-8")
