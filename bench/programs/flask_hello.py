"""The same hello as a Flask view."""
from flask import Flask

application = Flask(__name__)


@application.route("/hello/<name>")
def hello(name):
    return "Hello, World!\n", 200, {"Content-Type": "text/plain"}
