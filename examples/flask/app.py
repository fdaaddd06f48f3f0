"""A small Flask application: a page, a form, an upload, a stream and a file."""

import hashlib
import time

from flask import Flask, Response, redirect, render_template, request, send_file, url_for

app = Flask(__name__)


@app.get('/')
def index():
    return render_template('index.html', greeted=request.args.get('greeted', ''))


@app.post('/greet')
def greet():
    """A form: answers with a redirect, so that a reload does not send it again."""
    return redirect(url_for('index', greeted=request.form['name']), code=303)


@app.post('/upload')
def upload():
    """Hashes a file as it comes: Flask keeps large ones on disk, not in memory."""
    file = request.files['file']
    digest = hashlib.sha256()
    size = 0
    while True:
        block = file.stream.read(64 * 1024)
        if not block:
            break
        size += len(block)
        digest.update(block)
    return {'name': file.filename, 'size': size, 'sha256': digest.hexdigest()}


@app.get('/count')
def count():
    """A stream: each line leaves when it is made, nginx does not hold it back."""
    pause = min(1.0, float(request.args.get('pause', 0.5)))

    def lines():
        for number in range(1, 6):
            yield '%d\n' % number
            time.sleep(pause)

    return Response(lines(), mimetype='text/plain')


@app.get('/source')
def source():
    """A file, with ranges and conditional requests."""
    return send_file(__file__, mimetype='text/x-python', conditional=True)
