"""The same hello for uWSGI and gunicorn."""

BODY = b"Hello, World!\n"
LENGTH = str(len(BODY))


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", LENGTH)])
    return [BODY]
