"""The same hello, after a wait that takes no processor: a database, say."""
import time

BODY = b"Hello, World!\n"


def application(environ, start_response):
    time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))])
    return [BODY]
