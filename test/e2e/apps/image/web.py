"""For gunicorn: counts in its worker's memory."""
import uuid

BEGUN = uuid.uuid4().hex
count = 0


def app(environ, start_response):
    global count
    if environ["PATH_INFO"] == "/ask":
        count += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{BEGUN} {count} 0\n".encode()]
