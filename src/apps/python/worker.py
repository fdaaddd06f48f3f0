"""Runs one WSGI application (PEP 3333) in T threads, for viaduct.

Started by the master with a control channel as descriptor 3, a Unix socket that carries one JSON object a line.

From the master:
  {"kind": "config", "app": "package.module:callable", "path": [...], "chdir": "..." or null, "process": 0,
   "threads": 4, "lanes": ["/path/of/socket", ...], "token": "...", "multiprocess": true,
   "environ": {"name": "value of every request", ...},
   "limits": {"response_headers_size": 65536, "thread_stack": 0, "stats": 1.0}}    comes first; bytes and seconds
  {"kind": "lanes", "lanes": [...]}    where thread 0, 1, ... is to connect; null: nowhere
  {"kind": "stacks", "thread": 2}      where thread 2 stands, or without "thread" all of them
  {"kind": "drain"}                    finish the requests, then exit; so does SIGTERM
To the master:
  {"kind": "ready"}
  {"kind": "load_error", "type": "ImportError", "message": "...", "traceback": "..."}    then exit status 3
  {"kind": "stats", "requests": 10, "busy": 1, "lanes": 4}    requests ended, threads inside one, threads connected
  {"kind": "stacks", "threads": [{"thread": 2, "busy": true, "stack": "..."}]}    thread null: not one of the lanes
End of file on descriptor 3: the master is gone, so this process goes too, with all it started.
SIGUSR1 writes the stacks of all threads to stderr, even where one of them never gives up the interpreter lock.

Each thread has a lane, a Unix connection to one of viaduct's workers, on which it answers one request at a time. The
threads that are connected to the same worker share an inbox, a FIFO from which they take the requests.
The frames on both are described in frames.ts.
"""

import ast
import faulthandler
import fcntl
import gc
import importlib
import importlib.machinery
import importlib.util
import inspect
import io
import json
import mmap
import os
import re
import select
import signal
import socket
import stat
import struct
import sys
import threading
import time
import traceback

# --------------------------------------------------------------------------------------------------------------------
# Frames: see frames.ts.

VERSION = 3
REQ, BODY, HEAD, DATA, ERR, LOG, HELLO, CLAIM, CALL, LEAVE, DROP, WELCOME, VALUES = range(1, 14)
FIN, BODY_FOLLOWS, ABORTED, CLOSING, POST, CLOSE, WAITS, CEDES = 1, 2, 4, 8, 16, 32, 64, 128

# Frames after which more is to come, unless they have FIN.
UNFINISHED = (HEAD, DATA)

HEADER = struct.Struct('<IBBHI')
HEADER_SIZE = HEADER.size
# CLAIM and the header of the frame behind it.
CLAIM_AND_HEADER = struct.Struct('<IBBHIIBBHI')
# What is written to an inbox, and read from it, at once: PIPE_BUF.
INBOX_FRAME = 4096
# A FIFO has room for so many frames. viaduct puts up to MAX_AHEAD more into it than there are threads.
INBOX_ROOM = 16
MAX_AHEAD = 12
# Linux has it, Python since 3.10.
F_SETPIPE_SZ = 1031
# LEAVE, as it stands in an inbox.
WAKE = HEADER.pack(0, LEAVE, 0, 0, 0).ljust(INBOX_FRAME, b'\0')
# What is noted beside an inbox for each ticket, two numbers of 16 bits: that of a thread and one, and whether nobody waits
# any more.
NOTE_SIZE = 4
MAX_TICKETS = 1 << 16
# What is noted behind them for each list of names: its length, in 16 bits, and the names.
LISTS = MAX_TICKETS * NOTE_SIZE
LIST_SIZE = 4096
MAX_LISTS = 64
NOTES_SIZE = LISTS + MAX_LISTS * LIST_SIZE

# A request head and an inline body fit in, as do several BODY frames.
BUFFER_SIZE = 160 * 1024
# Up to here one joined buffer is cheaper than a list of buffers for sendmsg(2).
JOIN_SIZE = 16 * 1024
# IOV_MAX is 1024; joining many small blocks is cheaper anyway.
MAX_BLOCKS = 64
# Larger blocks and files go out in several frames; the length in a frame is a u32.
MAX_PAYLOAD = 1 << 24
# What is logged is cut into frames far below what frames.ts takes, a line that never ends as well; both in characters.
LOG_SIZE = 32 * 1024
LINE_SIZE = 8 * 1024
TRACEBACK_SIZE = 128 * 1024

EXIT_BOOT = 3
GRACE = 1.0


class ClientGone(ConnectionError):
    """The client has left, or broke off its request body: there is nobody to answer."""


# --------------------------------------------------------------------------------------------------------------------
# What start_response() is given (PEP 3333, "The start_response() Callable").

# One space, no other around the reason, and no control character.
STATUS = re.compile('[2-5][0-9]{2} [\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?')
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
LENGTH = re.compile('[0-9]{1,15}')
UNSAFE = re.compile('[\x00-\x1f\x7f]|[^\x00-\xff]')

# RFC 2616, section 13.5.1, in both spellings of Trailer.
HOP_BY_HOP = frozenset((
    'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'trailers',
    'transfer-encoding', 'upgrade',
))

# What was found good before: applications send the same few status lines and header names with every response. Full is
# full: neither grows beyond that, whatever they send. A name's value tells whether it is Content-Length.
MAX_KNOWN = 256
known_status = {}
known_names = {}


def show(value):
    """A value as an error message shows it: its type, and its text where that is short."""
    if isinstance(value, (str, bytes)):
        text = repr(value if len(value) <= 60 else value[:60])
        return text if len(value) <= 60 else text + '...'
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return 'an object of type ' + type(value).__name__


def check_status(status):
    """The code of a status line such as "200 OK". Raises TypeError or ValueError."""
    if not isinstance(status, str):
        raise TypeError('Cannot start response: status is %s, wanted a str' % show(status))
    if STATUS.fullmatch(status) is None:
        raise ValueError(
            'Cannot start response: status is %s, wanted "NNN Reason" from 200 to 599, in latin-1 without control '
            'characters' % show(status))
    code = int(status[:3])
    if len(known_status) < MAX_KNOWN:
        known_status[str(status)] = code
    return code


def check_name(name):
    """Whether a header name is Content-Length. Raises TypeError or ValueError if it is none for an application."""
    if not isinstance(name, str):
        raise TypeError('Cannot start response: a header name is %s, wanted a str' % show(name))
    if TOKEN.fullmatch(name) is None:
        raise ValueError('Cannot start response: a header name is %s, wanted a token of RFC 9110' % show(name))
    lower = name.lower()
    if lower in HOP_BY_HOP:
        raise ValueError('Cannot start response: %s is hop-by-hop and belongs to the server' % name)
    if lower == 'status':
        raise ValueError('Cannot start response: a header is named Status, which the status line is for')
    is_length = lower == 'content-length'
    if len(known_names) < MAX_KNOWN:
        known_names[str(name)] = is_length
    return is_length


def bad_header(headers):
    """The error for headers of which one is not a pair of latin-1 strings without control characters."""
    for item in headers:
        if not isinstance(item, tuple) or len(item) != 2:
            return TypeError('Cannot start response: a header is %s, wanted a tuple (name, value)' % show(item))
        name, value = item
        if not isinstance(value, str):
            return TypeError('Cannot start response: the value of %s is %s, wanted a str' % (name, show(value)))
        if UNSAFE.search(value):
            return ValueError(
                'Cannot start response: the value of %s is %s, wanted latin-1 text without control characters'
                % (name, show(value)))
    return TypeError('Cannot start response: the headers changed while they were read')


def encode_head(status, headers, code, max_size):
    """The head of a HEAD frame, and the declared Content-Length or -1. Raises TypeError or ValueError."""
    if not isinstance(headers, list):
        raise TypeError('Cannot start response: headers are %s, wanted a list' % show(headers))
    declared = -1
    fields = [status]
    for item in headers:
        if not isinstance(item, tuple) or len(item) != 2:
            raise bad_header(headers)
        name = item[0]
        # A name of another type may not even be hashable.
        is_length = known_names.get(name) if isinstance(name, str) else None
        if is_length is None:
            is_length = check_name(name)
        if is_length:
            if declared != -1:
                raise ValueError('Cannot start response: Content-Length stands twice')
            declared = parse_length(item[1])
            if code == 204:
                continue  # RFC 9110, section 8.6: it has none
        fields += item
    try:
        head = '\0'.join(fields).encode('latin-1')
    except (TypeError, UnicodeEncodeError):
        raise bad_header(headers) from None
    # A control character is how a response is split, and NUL separates the fields of a head. None of them is printable, as
    # some good characters are not: so only what fails that is looked at more closely.
    if not ''.join(fields).isprintable() and any(UNSAFE.search(field) for field in fields):
        raise bad_header(headers)
    if len(head) > max_size:
        raise ValueError(
            'Cannot start response: headers are %d bytes, limits.response_headers_size is %d' % (len(head), max_size))
    return head, declared


def parse_length(value):
    """The number in a Content-Length header."""
    if not isinstance(value, str) or LENGTH.fullmatch(value) is None:
        raise ValueError('Cannot start response: Content-Length is %s, wanted digits' % show(value))
    return int(value)


# --------------------------------------------------------------------------------------------------------------------
# The response to one request.

class Response:
    """The rules of PEP 3333 between start_response(), write() and the result of one call of the application."""

    # Hot code: all of them are slots, which are read without a look at the class.
    __slots__ = (
        'lane', 'is_head', 'called', 'head', 'code', 'declared', 'sent', 'head_sent', 'ended', 'bodyless', 'closing')

    def __init__(self, lane, is_head):
        self.lane = lane
        self.is_head = is_head
        self.called = False     # start_response() was, even if it raised
        self.head = None        # as encode_head() gives it; None: not started
        self.code = 0
        self.declared = -1      # Content-Length, -1 without one
        self.sent = 0           # bytes of body
        self.head_sent = False
        self.ended = False
        self.bodyless = False
        self.closing = 0        # CLOSING where the result has a close()

    def start_response(self, status, headers, exc_info=None):
        """PEP 3333's start_response(): keeps status and headers, sends nothing."""
        if exc_info is not None:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame, through its traceback
        elif self.called:
            raise RuntimeError('Cannot start response: start_response() was called before, and without exc_info')
        if self.ended:
            raise RuntimeError('Cannot start response: it has ended')
        # Marked before the checks: a second call stays an error even if the first one was refused.
        self.called = True
        self.head = None
        code = known_status.get(status) if isinstance(status, str) else None
        self.code = code = code or check_status(status)
        self.bodyless = self.is_head or code == 204 or code == 304
        self.head, self.declared = encode_head(status, headers, code, self.lane.max_headers)
        return self.write

    def write(self, block):
        """PEP 3333's write(): sent to viaduct before it returns."""
        if not isinstance(block, bytes):
            raise TypeError('Cannot write: the block is %s, wanted bytes' % show(block))
        if self.ended:
            raise RuntimeError('Cannot write: the response has ended')
        if self.head is None:
            raise RuntimeError('Cannot write: start_response() has not accepted a status')
        if self.bodyless:
            self._send(b'', 0)
            return
        room = len(block) if self.declared < 0 else self.declared - self.sent
        self._send(block[:room], 0)
        if len(block) > room:
            raise ValueError(
                'Cannot write: %d bytes go past the Content-Length of %d' % (len(block), self.declared))

    def send_result(self, result):
        """Sends what the application returned, to its end."""
        kind = type(result)
        if kind is list or kind is tuple:
            if not self.head_sent:
                self._send_list(result)
                return
        else:
            if hasattr(result, 'close'):
                self.closing = CLOSING
            check_result(result)
            if kind is FileWrapper and self._send_file(result.filelike):
                return
        self._send_blocks(result)

    def _send_list(self, blocks):
        """All blocks are here: one frame."""
        total = 0
        for block in blocks:
            if not isinstance(block, bytes):
                raise bad_block(block)
            total += len(block)
        if self.head is None:
            raise not_started()
        if self.bodyless:
            # HEAD gets the length that GET would have, where it is known without doubt (not 0: a body may be left out).
            if self.declared < 0 and total and len(blocks) == 1 and self.code != 204 and self.code != 304:
                self._declare(total)
            self._end_bodyless(total)
            return
        if self.declared < 0 and len(blocks) < 2:
            self._declare(total)
        if self.declared not in (-1, total) or total > MAX_PAYLOAD:
            self._send_blocks(blocks)
            return
        self.head_sent = self.ended = True
        self.sent = total
        self.lane.send(HEAD, FIN, self.code, self.head, blocks, total)

    def _send_blocks(self, result):
        """A frame for each block, before the next one is asked for; none for empty ones."""
        single = self.declared < 0 and not self.head_sent and hasattr(result, '__len__') and len(result) == 1
        for block in result:
            if not isinstance(block, bytes):
                raise bad_block(block)
            size = len(block)
            if size == 0:
                continue
            if self.head is None:
                raise not_started()
            if self.bodyless:
                self._end_bodyless(size)
                return
            if single:
                self._declare(size)
            if self.declared >= 0 and self.sent + size >= self.declared:
                self._send_last(block)
                return
            self._send(block, 0)
        self._finish()

    def _send_last(self, block):
        """The block that reaches Content-Length: PEP 3333 wants no more of them."""
        room = self.declared - self.sent
        if len(block) > room:
            self.lane.warn('the body grows past its Content-Length of %d bytes: the rest is cut' % self.declared)
            block = block[:room]
        self.ended = True
        self._send(block, FIN | self.closing)

    def _finish(self):
        """The result is exhausted."""
        if self.head is None:
            raise not_started()
        if not self.bodyless:
            if self.declared < 0 and not self.head_sent:
                self._declare(0)
            elif self.declared > self.sent:
                raise ValueError(
                    'The body ended after %d bytes, Content-Length says %d' % (self.sent, self.declared))
        self.ended = True
        self._send(b'', FIN | self.closing)

    def _end_bodyless(self, size):
        """HEAD, 204 and 304: whatever the body would be, it is dropped."""
        if size and not self.is_head:
            self.lane.warn('the body is dropped: a response with status %d has none' % self.code)
        self.ended = True
        self._send(b'', FIN | self.closing)

    def _send_file(self, file):
        """Copies a plain file inside the kernel; False where the usual way has to do."""
        if self.head is None:
            raise not_started()
        span = None if self.bodyless else plain_span(file)
        if span is None:
            return False
        offset, size = span
        if self.declared >= 0:
            if self.declared - self.sent > size:
                return False
            size = self.declared - self.sent
        if size == 0:
            return False
        while size > MAX_PAYLOAD:
            self._copy(file, offset, MAX_PAYLOAD, 0)
            offset += MAX_PAYLOAD
            size -= MAX_PAYLOAD
        self.ended = True
        self._copy(file, offset, size, FIN | self.closing)
        return True

    def _copy(self, file, offset, size, flags):
        self._send_header(flags, size)
        self.sent += size
        self.lane.copy(file, offset, size)

    def _send(self, block, flags):
        """One block, in HEAD if that has not been sent."""
        while len(block) > MAX_PAYLOAD:
            self._send(block[:MAX_PAYLOAD], 0)
            block = memoryview(block)[MAX_PAYLOAD:]
        size = len(block)
        if not self.head_sent:
            self.head_sent = True
            self.lane.send(HEAD, flags, self.code, self.head, (block,), size)
        elif size or flags:
            self.lane.send(DATA, flags, 0, b'', (block,), size)
        self.sent += size

    def _send_header(self, flags, size):
        """The beginning of a frame whose bytes follow by other means."""
        if self.head_sent:
            self.lane.send(DATA, flags, 0, b'', (), size)
        else:
            self.head_sent = True
            self.lane.send(HEAD, flags, self.code, self.head, (), size)

    def _declare(self, size):
        self.declared = size
        self.head += b'\0Content-Length\0%d' % size


def check_result(result):
    """Refuses what iterates, but never into blocks."""
    if result is None or isinstance(result, (str, bytes, bytearray, dict)):
        raise TypeError(
            'Cannot send response: the application returned %s, wanted an iterable of bytes' % show(result))


def bad_block(block):
    return TypeError('Cannot send response: a block of the body is %s, wanted bytes' % show(block))


def not_started():
    return RuntimeError('Cannot send response: the application did not call start_response()')


# --------------------------------------------------------------------------------------------------------------------
# Streams of the environ.

class InlineInput(io.BytesIO):
    """wsgi.input over a body that came with its request."""

    __slots__ = ()

    def close(self):
        """The stream is the server's: closing it does nothing."""


class StreamedInput(io.BufferedReader):
    """wsgi.input over a body that is still coming."""

    def close(self):
        """The stream is the server's: closing it does nothing."""


class LaneBody(io.RawIOBase):
    """The BODY frames of one request."""

    def __init__(self, lane):
        super().__init__()
        self.lane = lane
        self.left = 0          # bytes of the frame under way
        self.last = False      # that frame has FIN
        self.aborted = False

    def readable(self):
        return True

    def readinto(self, target):
        lane = self.lane
        if lane is None:
            raise ValueError('Cannot read wsgi.input: its request has ended')
        while self.left == 0:
            if self.last:
                break
            self._begin_frame(lane)
        if self.aborted and self.left == 0:
            raise ClientGone('Cannot read wsgi.input: the request body broke off')
        size = min(self.left, len(target))
        if size:
            size = lane.take(target, size)
            self.left -= size
        return size

    def _begin_frame(self, lane):
        length, kind, flags, _, _ = lane.read_header()
        if kind != BODY:
            raise lane.refuse('type is %d, wanted BODY (%d)' % (kind, BODY))
        self.left = length
        self.last = bool(flags & FIN)
        self.aborted = bool(flags & ABORTED)

    def finish(self):
        """Drops what the application left; the lane stands behind the body then."""
        lane, self.lane = self.lane, None
        while self.left or not self.last:
            if self.left == 0:
                self._begin_frame(lane)
            else:
                self.left -= lane.skip(self.left)


class ErrorStream:
    """wsgi.errors of one lane: what is written goes to viaduct's log, line by line."""

    encoding = 'utf-8'
    errors = 'backslashreplace'

    def __init__(self, lane):
        self._lane = lane
        self._partial = ''

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError('Cannot write to wsgi.errors: the text is %s, wanted a str' % show(text))
        if self._lane.is_elsewhere():
            # A thread that the application started, or no request to speak of: frames of a lane must not mix.
            return sys.stderr.write(text)
        whole, newline, rest = text.rpartition('\n')
        if newline:
            self._send(self._partial + whole)
            self._partial = rest
        else:
            self._partial += rest
        if len(self._partial) >= LINE_SIZE:
            self.flush()
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        """What has no newline yet counts as a line."""
        if self._partial and not self._lane.is_elsewhere():
            self.finish()

    def finish(self):
        """The request has ended."""
        text, self._partial = self._partial, ''
        if text:
            self._send(text)

    def isatty(self):
        return False

    def writable(self):
        return True

    def close(self):
        """The stream is the server's: closing it does nothing."""

    def _send(self, text):
        while len(text) > LOG_SIZE:
            cut = text.rfind('\n', 0, LOG_SIZE)
            self._lane.log(text[:cut] if cut > 0 else text[:LOG_SIZE])
            text = text[cut + 1:] if cut > 0 else text[LOG_SIZE:]
        self._lane.log(text)


class FileWrapper:
    """wsgi.file_wrapper: a file-like object as an iterable of blocks (PEP 3333)."""

    def __init__(self, filelike, blksize=64 * 1024):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, 'close'):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        block = self.filelike.read(self.blksize)
        if block:
            return block
        raise StopIteration


def plain_span(file):
    """Where a plain file stands and how many bytes follow; None for any other file-like object.

    Other classes may have a fileno() too whose bytes are not theirs: that of a GzipFile is the compressed file.
    """
    raw = file.raw if type(file) is io.BufferedReader else file
    if type(raw) is not io.FileIO or file.closed:
        return None
    status = os.fstat(raw.fileno())
    if not stat.S_ISREG(status.st_mode):
        return None
    offset = file.tell()
    # Files of /proc say 0 and have content.
    return (offset, status.st_size - offset) if status.st_size > offset else None


# --------------------------------------------------------------------------------------------------------------------
# Where requests wait.

class Inbox:
    """The requests that one of viaduct's workers has for the threads of this process: a FIFO, and beside it a file in
    which both note who has taken them, which of them nobody waits for any more, and what they are made of (see
    inbox.ts)."""

    def __init__(self, path, threads):
        self.path = path
        self.name = os.path.basename(path)
        self.lanes = 0
        self._lists = [None] * MAX_LISTS
        os.mkfifo(path, 0o600)
        # For writing as well: it neither ends where viaduct closes it, nor waits for viaduct to open it.
        self.fifo = os.open(path, os.O_RDWR)
        self._bell = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        if threads + MAX_AHEAD > INBOX_ROOM:
            try:
                fcntl.fcntl(self.fifo, F_SETPIPE_SZ, (threads + MAX_AHEAD) * INBOX_FRAME)
            except OSError:
                pass  # this user has too many pipes; viaduct waits where it is full
        notes = os.open(path + '.notes', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(notes, NOTES_SIZE)
            self._map = mmap.mmap(notes, NOTES_SIZE)
            self.notes = memoryview(self._map).cast('H')
        finally:
            os.close(notes)

    def names(self, number):
        """The list of names with that number; its first requests only follow when it is noted."""
        found = self._lists[number]
        if found is None:
            start = LISTS + number * LIST_SIZE + 2
            text = str(self._map[start:start + self.notes[start // 2 - 1]], 'latin-1')
            # The application has most of them as constants.
            found = self._lists[number] = [sys.intern(name) for name in text.split('\0')]
        return found

    def wake(self):
        """Has each of the threads that wait here look whether it is to leave."""
        try:
            for _ in range(self.lanes):
                os.write(self._bell, WAKE)
        except BlockingIOError:
            pass  # it is full: none of them waits

    def forget(self):
        """In a forked child: the requests are the parent's."""
        os.close(self.fifo)
        os.close(self._bell)

    def close(self):
        self.forget()
        self.notes.release()
        self._map.close()
        # viaduct has taken them away, unless it never came to it.
        for path in (self.path, self.path + '.notes'):
            try:
                os.unlink(path)
            except OSError:
                pass


# --------------------------------------------------------------------------------------------------------------------
# One thread and its connection.

def peer_of(sock):
    """The process that listens at the other end."""
    return struct.unpack('i', sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4))[0]


def make_cede(process):
    """Has that process wait where another one has the processor, not take it away as soon as it has something to do, which
    here is after each answer: SCHED_BATCH of sched(7). What somebody has set on purpose stays."""
    try:
        if os.sched_getscheduler(process) == os.SCHED_OTHER:
            os.sched_setscheduler(process, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        pass  # no Linux, or not allowed: it only costs time


def in_pairs(fields):
    """Of a head that has all the names before their values."""
    middle = len(fields) // 2
    return zip(fields[:middle], fields[middle:])


class Lane:
    """One thread that serves requests, one at a time, over a connection of its own."""

    def __init__(self, worker, number):
        self.number = number
        self.requests = 0
        self.busy = False           # inside a request; the main thread reads these three
        self.connected = False
        self.leaving = False        # set by the main thread: no more requests over this connection
        self.thread = threading.Thread(target=self._run, name='lane-%d' % number, daemon=True)
        self.max_headers = worker.limits.get('response_headers_size', 64 * 1024)
        self._worker = worker
        self._sock = None
        self._poll = None           # whether the client has left
        self._inbox = None
        self._notes = None          # of the inbox
        self._ticket = -1           # of the request under way
        self._unclaimed = False     # its CLAIM goes before the next frame
        self._broken = False        # no frame can be sent or received any more
        self._ident = 0
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0     # what has been received and not used
        self._log_flags = 0
        self._errors = ErrorStream(self)
        self._base = dict(worker.environ)
        self._base['wsgi.errors'] = self._errors
        self._base['viaduct.client_disconnected'] = self.client_disconnected

    # The thread and its connection.

    def _run(self):
        self._ident = threading.get_ident()
        pause = 0.0
        while True:
            path = self._worker.wait_for_path(self, pause)
            if path is None:
                return
            pause = min(1.0, max(0.02, pause * 2))
            try:
                if self._connect(path):
                    pause = 0.0
                    self._serve()
            except ConnectionError:
                pass
            except BaseException as error:  # a thread is never lost
                print_error(error)
            self._disconnect()

    def _connect(self, path):
        """False where nobody listens."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            return False
        self._start = self._end = 0
        self._broken = self.leaving = False
        self._sock = sock
        worker = self._worker
        peer = peer_of(sock)
        self._inbox = inbox = worker.enter_inbox(path, peer)
        self._notes = inbox.notes
        self._poll = select.poll()
        self._poll.register(sock, select.POLLRDHUP)
        head = '%d\0%d\0%d\0%s\0%s' % (os.getpid(), worker.process, self.number, worker.token, inbox.name)
        self.send(HELLO, 0, VERSION, head.encode('latin-1'), (), 0)
        # What this thread takes before, the worker may think lost with the threads that it knows.
        _, kind, flags, _, _ = self.read_header()
        if kind != WELCOME:
            raise self.refuse('its type is %d, wanted WELCOME (%d)' % (kind, WELCOME))
        if flags & CEDES:
            make_cede(peer)
        self.connected = True
        worker.watch(sock)
        # The main thread may have changed its mind before it could see this connection.
        if not worker.wants(self, path):
            self.leaving = True
        return True

    def _disconnect(self):
        self.connected = self.busy = False
        self._unclaimed = False
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()
        inbox, self._inbox, self._notes = self._inbox, None, None
        self._ticket = -1
        if inbox is not None:
            self._worker.leave_inbox(inbox)

    def leave(self):
        """Main thread: end the connection after the request that has been taken. Inbox.wake() is to follow."""
        self.leaving = True

    def has(self, descriptor):
        """Whether that is its connection."""
        sock = self._sock
        return sock is not None and sock.fileno() == descriptor

    def abandon(self):
        """In a forked child: the connection is the parent's."""
        sock = self._sock
        if sock is not None:
            sock.close()

    # Requests. Hot code.

    def _serve(self):
        """Requests until the connection ends."""
        read = os.read
        inbox = self._inbox
        fifo = inbox.fifo
        notes = self._notes
        mark = self.number + 1
        while not self.leaving:
            # Never more and never less than one frame: it is written as one piece.
            frame = read(fifo, INBOX_FRAME)
            length, kind, number, ticket, head_size = HEADER.unpack_from(frame)
            if kind == LEAVE:
                return
            self.busy = True
            self._ticket = ticket
            notes[2 * ticket] = mark
            if kind == CALL:
                self._call(ticket)
            else:
                self._unclaimed = True
                body = HEADER_SIZE + head_size
                fields = str(frame[HEADER_SIZE:body], 'latin-1').split('\0')
                params = zip(inbox.names(number), fields) if kind == VALUES else in_pairs(fields)
                self._handle_request(params, frame[body:HEADER_SIZE + length])
            self.busy = False
            self._ticket = -1
            if self._broken:
                return

    def _call(self, ticket):
        """The request that was taken comes over the lane, unless nobody waits for it any more."""
        try:
            self._sock.sendall(HEADER.pack(0, CLAIM, WAITS, ticket, 0))
        except OSError as error:
            raise self._lost(error) from None
        length, kind, flags, _, head_size = self.read_header()
        if kind == DROP:
            return
        if kind != REQ:
            raise self.refuse('its type is %d, wanted REQ (%d)' % (kind, REQ))
        self._need(length)
        body = self._start + head_size
        end = self._start + length
        head = str(self._view[self._start:body], 'latin-1')
        self._start = end
        self._handle_request(in_pairs(head.split('\0')), None if flags & BODY_FOLLOWS else self._view[body:end])

    def _handle_request(self, params, body):
        """One request: its names and values in pairs; `body` None: BODY frames follow."""
        environ = self._base.copy()
        environ.update(params)
        if body is None:
            self._handle_streamed(environ)
        else:
            environ['wsgi.input'] = InlineInput(body)
            self._handle(environ)
        self.requests += 1

    def _handle_streamed(self, environ):
        body = LaneBody(self)
        environ['wsgi.input'] = StreamedInput(body, 64 * 1024)
        self._handle(environ)
        if self._broken:
            body.lane = None
        else:
            body.finish()

    def _handle(self, environ):
        """One request. Whatever the application does, this returns."""
        response = Response(self, environ['REQUEST_METHOD'] == 'HEAD')
        result = None
        self._log_flags = 0
        try:
            result = self._worker.app(environ, response.start_response)
            response.send_result(result)
        except BaseException as error:
            self._fail(response, error)
        self._log_flags = CLOSE
        if response.closing:
            self._close(result)
        self._errors.finish()

    def _fail(self, response, error):
        """The application raised, or broke a rule."""
        response.ended = True
        if self._broken:
            if not isinstance(error, ClientGone):
                print_error(error)
            return
        self._errors.finish()
        flags = response.closing | (POST if response.head_sent else 0)
        self._send_text(ERR, flags, describe(error), error)

    def _close(self, result):
        """close() is called once, when the response has ended: it can harm nothing but the log."""
        try:
            result.close()
        except BaseException as error:
            self._errors.finish()
            self._send_text(ERR, CLOSE, describe(error), error)

    # What the request under way uses.

    def send(self, kind, flags, aux, head, blocks, size):
        """One frame; `size` bytes of payload follow `head`, in `blocks` or, if there are none, by other means.

        Raises ClientGone.
        """
        if self._broken or (kind in UNFINISHED and not flags & FIN and self._is_given_up()):
            raise ClientGone('Cannot send: the client has left')
        head_size = len(head)
        if self._unclaimed:
            self._unclaimed = False
            header = CLAIM_AND_HEADER.pack(0, CLAIM, 0, self._ticket, 0, head_size + size, kind, flags, aux, head_size)
        else:
            header = HEADER.pack(head_size + size, kind, flags, aux, head_size)
        try:
            if size <= JOIN_SIZE or not blocks:
                data = b''.join((header, head, *blocks))
                sent = self._sock.send(data)
                if sent != len(data):
                    self._sock.sendall(memoryview(data)[sent:])
            else:
                self._send_large(header + head, blocks)
        except OSError as error:
            raise self._lost(error) from None

    def _send_large(self, head, blocks):
        """Without a copy of the blocks, unless they are many."""
        if len(blocks) > MAX_BLOCKS:
            blocks = (b''.join(blocks),)
        # A signal may end the call early.
        sent = self._sock.sendmsg((head, *blocks))
        for block in (head, *blocks):
            if sent < len(block):
                self._sock.sendall(memoryview(block)[sent:])
            sent = max(0, sent - len(block))

    def copy(self, file, offset, size):
        """The bytes that send() has announced, from an open file."""
        target, source = self._sock.fileno(), file.fileno()
        while size:
            try:
                count = os.sendfile(target, source, offset, size)
            except OSError as error:
                raise self._lost(error) from None
            if count == 0:
                # The frame cannot be finished.
                self._broken = True
                raise EOFError('Cannot send file: it has become shorter by %d bytes' % size)
            offset += count
            size -= count

    def log(self, text):
        """Lines for viaduct's log, the last one without its newline. Never raises: it is the application's logging."""
        self._send_text(LOG, self._log_flags, text + '\n', None)

    def warn(self, message):
        self.log('viaduct: ' + message)

    def _send_text(self, kind, flags, text, error):
        """ERR or LOG; to stderr if there is nobody else to tell."""
        if not self._broken:
            try:
                data = text.encode('utf-8', 'backslashreplace')
                self.send(kind, flags, 0, b'', (data,), len(data))
                return
            except ClientGone:
                pass
        if error is None:
            sys.stderr.write(text)
        else:
            print_error(error)

    def is_elsewhere(self):
        """Whether this is called by another thread than the lane's, or outside of a request."""
        return threading.get_ident() != self._ident or not self.busy

    def client_disconnected(self):
        """viaduct.client_disconnected: whether the client has left."""
        return self._broken or self._is_given_up() or bool(self._poll.poll(0))

    def _is_given_up(self):
        """Whether viaduct has noted that nobody waits for the answer any more."""
        return self._ticket >= 0 and self._notes is not None and self._notes[2 * self._ticket + 1] != 0

    # Reading.

    def _need(self, size):
        """Waits until so many bytes are here. Raises ClientGone."""
        if self._end - self._start >= size:
            return
        if self._start + size > len(self._buffer):
            self._make_room(size)
        while self._end - self._start < size:
            self._end += self._receive(self._view[self._end:])

    def _make_room(self, size):
        """Moves what is here to the front, of a larger buffer if that is needed."""
        kept = bytes(self._view[self._start:self._end])
        if size > len(self._buffer):
            self._buffer = bytearray(size)
            self._view = memoryview(self._buffer)
        self._start, self._end = 0, len(kept)
        self._view[:len(kept)] = kept

    def _receive(self, target):
        try:
            count = self._sock.recv_into(target)
        except OSError as error:
            raise self._lost(error) from None
        if count == 0:
            raise self._lost(None)
        return count

    def read_header(self):
        """The fields of a frame's header."""
        self._need(HEADER_SIZE)
        fields = HEADER.unpack_from(self._buffer, self._start)
        self._start += HEADER_SIZE
        return fields

    def take(self, target, size):
        """Reads 1 to `size` bytes of payload into `target`; their number."""
        here = min(size, self._end - self._start)
        if here == 0:
            return self._receive(memoryview(target)[:size])
        target[:here] = self._view[self._start:self._start + here]
        self._start += here
        return here

    def skip(self, size):
        """Drops 1 to `size` bytes of payload; their number."""
        self._need(1)
        here = min(size, self._end - self._start)
        self._start += here
        return here

    def refuse(self, what):
        """The error for a frame that may not come now: the connection is of no use any more."""
        self._broken = True
        return ValueError('Cannot read frame: ' + what)

    def _lost(self, cause):
        self._broken = True
        return ClientGone('Cannot go on: the client has left (%s)' % (cause or 'end of the connection'))


# --------------------------------------------------------------------------------------------------------------------
# Errors as text.

def format_error(error):
    """The traceback with its chain, without the frames of this file and of the import system it begins with."""
    trace = error.__traceback__
    while trace is not None and is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    text = ''.join(traceback.format_exception(type(error), error, trace))
    if len(text) <= TRACEBACK_SIZE:
        return text
    return text[:TRACEBACK_SIZE // 4] + '\n[...]\n' + text[-TRACEBACK_SIZE * 3 // 4:]


def is_ours(filename):
    return filename == __file__ or filename == importlib.__file__ or filename.startswith('<frozen importlib')


def print_error(error):
    sys.stderr.write(format_error(error))


def type_name(error):
    kind = type(error)
    own = kind.__module__ in ('builtins', '__main__')
    return kind.__qualname__ if own else kind.__module__ + '.' + kind.__qualname__


def message_of(error):
    try:
        return str(error)[:LINE_SIZE]
    except Exception:
        return '<no message: its __str__() raises>'


def describe(error):
    """The text of an ERR frame."""
    parts = (type_name(error), message_of(error), format_error(error))
    return '\0'.join(part.replace('\0', '\\x00') for part in parts)


# --------------------------------------------------------------------------------------------------------------------
# Loading the application.

class LoadError(Exception):
    """The application cannot be what the configuration says."""


FILE = re.compile(r'(.+\.(?:py|wsgi))(?::(.+))?')


def load(spec):
    """The application of "package.module:callable", "module:factory()" or "/path/of/file.wsgi:callable"."""
    match = FILE.fullmatch(spec)
    if match is not None and ('/' in spec or not is_module(spec)):
        module, expression = load_file(match.group(1)), match.group(2)
    else:
        name, _, expression = spec.partition(':')
        module = importlib.import_module(name)
    return check_application(evaluate(module, expression or 'application', spec), spec)


def is_module(name):
    try:
        return importlib.util.find_spec(name.partition(':')[0]) is not None
    except (ImportError, ValueError):
        return False


def load_file(path):
    """Runs a file as a module, whatever its name ends in. What stands beside it can be imported."""
    path = os.path.abspath(path)
    folder, file = os.path.split(path)
    sys.path.append(folder)
    name = 'viaduct_' + re.sub(r'\W', '_', file)
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path, loader=loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def evaluate(module, expression, spec):
    """"name", "name.attribute" or a call of one with literal arguments."""
    try:
        tree = ast.parse(expression, mode='eval').body
        called = isinstance(tree, ast.Call)
        target = tree.func if called else tree
        names = attribute_names(target)
        args = [ast.literal_eval(arg) for arg in tree.args] if called else []
        kwargs = {word.arg: ast.literal_eval(word.value) for word in tree.keywords} if called else {}
    except (SyntaxError, ValueError):
        raise LoadError('Cannot load "%s": "%s" is neither a name nor a call of one with literal arguments'
                        % (spec, expression)) from None
    found = module
    for name in names:
        if not hasattr(found, name):
            raise LoadError('Cannot load "%s": %s has no "%s"%s' % (spec, module.__name__, name, hint(module)))
        found = getattr(found, name)
    return found(*args, **kwargs) if called else found


def attribute_names(node):
    """The parts of "a.b.c". Raises ValueError for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return attribute_names(node.value) + [node.attr]
    raise ValueError('not a name')


def hint(module):
    """What the application may be called instead."""
    names = [name for name in ('application', 'app', 'create_app', 'make_app') if hasattr(module, name)]
    return '; it has "%s"' % '", "'.join(names) if names else ''


def check_application(app, spec):
    if not callable(app):
        raise LoadError('Cannot load "%s": it is %s, wanted a callable' % (spec, show(app)))
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, '__call__', None)):
        raise LoadError('Cannot load "%s": it is an asynchronous (ASGI) application, wanted a WSGI one' % spec)
    return app


# --------------------------------------------------------------------------------------------------------------------
# The process: its main thread serves the master and signals.

class Worker:
    """One process: the application, its lanes, and the control channel."""

    def __init__(self, control):
        self.app = None
        self.environ = {}
        self.limits = {}
        self.process = 0
        self.token = ''
        self._control = control
        self._received = b''
        self._events = select.epoll()
        self._lanes = []
        self._inboxes = {}
        self._made = 0              # inboxes
        self._paths = []
        self._draining = False
        self._terminated = False
        self._running = 0           # lanes whose thread has not ended
        self._change = threading.Condition()
        self._masks = threading.local()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._told = None

    # Start.

    def run(self):
        """The whole life of the process; its exit status."""
        message = self._read_message()
        if message is None:
            return 0
        try:
            self._configure(message)
            self._load(message)
        except BaseException as error:
            self._tell({'kind': 'load_error', 'type': type_name(error), 'message': message_of(error),
                        'traceback': format_error(error)})
            return EXIT_BOOT
        self._start(message)
        return self._serve()

    def _configure(self, config):
        self.limits = config.get('limits') or {}
        self.process = config.get('process', 0)
        self.token = config.get('token', '')
        self._paths = list(config['lanes'])
        self.environ = {
            'wsgi.version': (1, 0),
            'wsgi.url_scheme': 'http',
            'wsgi.multithread': config['threads'] > 1,
            'wsgi.multiprocess': bool(config['multiprocess']),
            'wsgi.run_once': False,
            'wsgi.input_terminated': True,
            'wsgi.file_wrapper': FileWrapper,
        }
        self.environ.update(config.get('environ') or {})

    def _load(self, config):
        if config.get('chdir'):
            os.chdir(config['chdir'])
        # The interpreter put the folder of this file there: nobody may import its modules by chance.
        if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
            del sys.path[0]
        sys.path[:0] = [*(config.get('path') or []), os.getcwd()]
        self.app = load(config['app'])
        # What lives now lives for ever: garbage collections need not look at it again.
        gc.collect()
        gc.freeze()

    def _start(self, config):
        self._wake_writer.setblocking(False)
        self._wake_reader.setblocking(False)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_term)
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._restore_signals, after_in_child=self._after_fork)
        if self.limits.get('thread_stack'):
            threading.stack_size(self.limits['thread_stack'])
        self._lanes = [Lane(self, number) for number in range(config['threads'])]
        self._running = len(self._lanes)
        self._tell({'kind': 'ready'})
        for lane in self._lanes:
            lane.thread.start()

    # Called by lanes.

    def wait_for_path(self, lane, pause):
        """Where that lane is to connect, at once if that changes, else after `pause` seconds; None: its thread ends."""
        with self._change:
            before = self._path(lane)
            self._change.wait_for(lambda: self._draining or self._path(lane) != before, pause)
            self._change.wait_for(lambda: self._draining or self._path(lane) is not None)
            if not self._draining:
                return self._path(lane)
            self._running -= 1
            self._change.notify_all()
        self._wake()
        return None

    def watch(self, sock):
        """Has the main thread end a connection whose other side has ended it: its own thread looks at the inbox."""
        self._events.register(sock, select.EPOLLRDHUP | select.EPOLLONESHOT)

    def wants(self, lane, path):
        """Whether that lane is still to connect to that path."""
        return not self._draining and self._path(lane) == path

    def enter_inbox(self, path, peer):
        """The inbox of the worker that has that process id and listens at that path."""
        with self._change:
            inbox = self._inboxes.get((path, peer))
            if inbox is None:
                self._made += 1
                inbox = Inbox('%s.%d-%d' % (path, os.getpid(), self._made), len(self._lanes))
                self._inboxes[path, peer] = inbox
            inbox.lanes += 1
            return inbox

    def leave_inbox(self, inbox):
        with self._change:
            inbox.lanes -= 1
            if inbox.lanes == 0:
                self._inboxes = {key: other for key, other in self._inboxes.items() if other is not inbox}
                inbox.close()

    def _path(self, lane):
        return self._paths[lane.number] if lane.number < len(self._paths) else None

    def _wake(self):
        try:
            self._wake_writer.send(b'\0')
        except OSError:
            pass  # it is full: awake already

    # The main thread.

    def _serve(self):
        """Serves the control channel until the process is to end; its exit status."""
        events = self._events
        events.register(self._control, select.EPOLLIN)
        events.register(self._wake_reader, select.EPOLLIN)
        interval = self.limits.get('stats', 1.0)
        due = time.monotonic() + interval
        while not self._draining or self._running:
            for descriptor, _ in events.poll(max(0.0, due - time.monotonic()) if interval else None):
                if descriptor == self._wake_reader.fileno():
                    self._wake_reader.recv(4096)
                elif descriptor != self._control.fileno():
                    self._part([lane for lane in self._lanes if lane.has(descriptor)])
                elif not self._receive():
                    return self._end_as_orphan()
            if self._terminated:
                self._drain()
            if interval and time.monotonic() >= due:
                self._tell_stats()
                due = time.monotonic() + interval
        self._tell_stats()
        return 0

    def _receive(self):
        """Reads messages; False at the end of the channel."""
        try:
            data = self._control.recv(65536)
        except OSError:
            data = b''
        *lines, self._received = (self._received + data).split(b'\n')
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _read_message(self):
        """The first message; None at the end of the channel."""
        while b'\n' not in self._received:
            data = self._control.recv(65536)
            if not data:
                return None
            self._received += data
        line, _, self._received = self._received.partition(b'\n')
        return json.loads(line)

    def _obey(self, message):
        kind = message['kind']
        if kind == 'lanes':
            self._move(list(message['lanes']))
        elif kind == 'drain':
            self._drain()
        elif kind == 'stacks':
            self._tell({'kind': 'stacks', 'threads': self._stacks(message.get('thread'))})
        else:
            sys.stderr.write('Cannot obey the master: kind is %s\n' % show(kind))

    def _move(self, paths):
        before = [self._path(lane) for lane in self._lanes]
        with self._change:
            self._paths = paths
            self._change.notify_all()
        self._part([lane for lane, path in zip(self._lanes, before) if self._path(lane) != path])

    def _part(self, lanes):
        """These are to end their connections."""
        for lane in lanes:
            lane.leave()
        with self._change:
            for inbox in self._inboxes.values():
                inbox.wake()

    def _drain(self):
        if self._draining:
            return
        with self._change:
            self._draining = True
            self._change.notify_all()
        self._part(self._lanes)

    def _on_term(self, *_):
        # Noted only: this runs between any two instructions of the main thread, which may hold the lock.
        self._terminated = True

    def _stacks(self, number):
        frames = sys._current_frames()
        lanes = {lane.thread.ident: lane for lane in self._lanes}
        found = []
        for ident, frame in frames.items():
            lane = lanes.get(ident)
            if ident == threading.get_ident() or (number is not None and (lane is None or lane.number != number)):
                continue
            found.append({
                'thread': None if lane is None else lane.number,
                'busy': lane is not None and lane.busy,
                'stack': ''.join(traceback.format_stack(frame))[-TRACEBACK_SIZE:],
            })
        return found

    def _tell_stats(self):
        stats = {
            'kind': 'stats',
            'requests': sum(lane.requests for lane in self._lanes),
            'busy': sum(lane.busy for lane in self._lanes),
            'lanes': sum(lane.connected for lane in self._lanes),
        }
        if stats != self._told:
            self._told = stats
            self._tell(stats)

    def _tell(self, message):
        try:
            self._control.sendall(json.dumps(message).encode('ascii') + b'\n')
        except OSError:
            pass  # the end of the channel shows when it is read

    # Ends.

    def _end_as_orphan(self):
        """The master is gone: a moment for requests, then nothing that it started stays."""
        self._drain()
        with self._change:
            self._change.wait_for(lambda: self._running == 0, GRACE)
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(0)

    def _before_fork(self):
        # The child must not take a SIGTERM that is for it by our handler: the interpreter would forget about it.
        self._masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _restore_signals(self):
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.before)

    def _after_fork(self):
        """In a child that the application forked: it is no part of this process."""
        self._change = threading.Condition()
        self._draining = True
        signal.set_wakeup_fd(-1)
        if signal.getsignal(signal.SIGTERM) == self._on_term:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for sock in (self._control, self._wake_reader, self._wake_writer):
            sock.close()
        self._events.close()
        for inbox in self._inboxes.values():
            inbox.forget()
        for lane in self._lanes:
            lane.abandon()
        self._restore_signals()


def prepare():
    """Signals and streams as applications expect them, before any of their code runs."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    # From a terminal they go to the whole group, and are the master's business. No SIG_IGN: a child would inherit it.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    for stream in (sys.stdout, sys.stderr):
        # Whatever the locale: print() must not fail, and lines must come whole.
        stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)


def main():
    prepare()
    control = socket.socket(fileno=3)
    control.set_inheritable(False)
    sys.exit(Worker(control).run())


if __name__ == '__main__':
    main()
