"""A scripted SMTP server: it does what a test says at each stage of a session, and otherwise behaves. It keeps what it was given.

One thread a connection: a test's server may block, drip or hang without holding up another. Every socket has a timeout, so no
thread outlives its test by much.
"""

import socket
import struct
import threading
import time

HANG = 30.0  # seconds: longer than any time the relay is configured to wait in a test that uses this


class Closed(Exception):
    """The connection is over, from either side."""


class Peer:
    """One connection of the relay, as its server sees it."""

    def __init__(self, server, connection, number):
        self.server = server
        self.socket = connection
        self.number = number  # of this server's connections, from 1
        self.buffer = b""
        self.messages = 0  # taken on this connection
        self.counted = True

    def say(self, text):
        octets = text if isinstance(text, bytes) else text.encode()
        try:
            self.socket.sendall(octets)
        except OSError:
            raise Closed() from None

    def drip(self, octets, gap):
        for octet in octets:
            self.say(bytes([octet]))
            time.sleep(gap)

    def fill(self):
        try:
            got = self.socket.recv(262144)
        except OSError:
            raise Closed() from None
        if not got:
            raise Closed()
        self.buffer += got

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def octets(self, count):
        while len(self.buffer) < count:
            self.fill()
        got, self.buffer = self.buffer[:count], self.buffer[count:]
        return got

    def content(self):
        """What stands before the final dot, unstuffed."""
        searched = 0
        if self.buffer.startswith(b".\r\n"):
            self.buffer = self.buffer[3:]
            return b""
        while True:
            end = self.buffer.find(b"\r\n.\r\n", searched)
            if end >= 0:
                break
            searched = max(0, len(self.buffer) - 4)
            self.fill()
        content, self.buffer = self.buffer[:end + 2], self.buffer[end + 5:]
        content = content.replace(b"\r\n.", b"\r\n")
        return content[1:] if content.startswith(b".") else content

    def leave(self):
        """Not counted as open any more. Called before the relay can know that it is over, so that the server's count of what is
        open is one that a relay within its limit never exceeds."""
        with self.server.lock:
            self.server.open -= self.counted
            self.counted = False

    def close(self):
        raise Closed()

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed()

    def hang(self):
        """Says nothing more until the relay has gone."""
        end = time.monotonic() + HANG
        while time.monotonic() < end:
            self.fill()
            self.buffer = b""
        raise Closed()


class Server:
    """script: {stage: function(peer, argument) → true when it has answered itself, else the usual answer follows}.
    Stages: connect ehlo helo mail rcpt data body (after 354, before the content is read) dot bdat (before a chunk is read) quit rset.
    `heal()` ends the misbehaviour for all that is to come."""

    OFFER = ("PIPELINING", "8BITMIME", "SIZE 50000000", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "DSN")

    def __init__(self, script=None, offer=OFFER, timeout=60.0):
        self.script = dict(script or {})
        self.offer = list(offer)
        self.timeout = timeout
        self.lock = threading.Lock()
        self.taken = []  # (sender, [recipients], content) of each message that was answered 250
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def heal(self):
        with self.lock:
            self.script = {}
            self.offer = list(Server.OFFER)

    def messages(self):
        with self.lock:
            return list(self.taken)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                number = self.connections
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        connection.settimeout(self.timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(self, connection, number)
        try:
            self._session(peer)
        except Closed:
            pass
        finally:
            peer.leave()
            connection.close()

    def _session(self, peer):
        script, offer = self.script, self.offer
        act = lambda stage, argument=b"": stage in script and script[stage](peer, argument)
        if not act("connect"):
            peer.say("220 scripted.test ESMTP\r\n")
        sender, recipients, chunks = None, [], []

        def take(content):
            with self.lock:
                self.taken.append((sender, list(recipients), content))
            peer.messages += 1

        peer.take = take  # for a script that answers itself

        while True:
            line = peer.line()
            verb, _, argument = line.partition(b" ")
            verb = verb.upper()
            if verb == b"EHLO":
                if not act("ehlo", argument):
                    lines = ["scripted.test", *offer]
                    peer.say("".join("250%s%s\r\n" % ("-" if each != lines[-1] else " ", each) for each in lines))
            elif verb == b"HELO":
                if not act("helo", argument):
                    peer.say("250 scripted.test\r\n")
            elif verb == b"MAIL":
                recipients, chunks = [], []
                sender = argument  # also where the script has answered: what it said is not looked into
                if not act("mail", argument):
                    peer.say("250 2.1.0 ok\r\n")
            elif verb == b"RCPT":
                if sender is None:
                    peer.say("503 5.5.1 MAIL first\r\n")
                elif not act("rcpt", argument):
                    recipients.append(argument.split(b"<", 1)[1].split(b">", 1)[0].decode("utf-8", "replace"))
                    peer.say("250 2.1.5 ok\r\n")
            elif verb == b"DATA":
                if not recipients:
                    peer.say("554 5.5.1 no valid recipients\r\n")
                elif not act("data", argument):
                    peer.say("354 go on\r\n")
                    act("body", argument)
                    content = peer.content()
                    if not act("dot", content):
                        take(content)
                        peer.say("250 2.0.0 taken\r\n")
                    sender, recipients = None, []
            elif verb == b"BDAT":
                size, last = int(argument.split()[0]), argument.upper().endswith(b"LAST")
                if act("bdat", argument):
                    continue
                chunks.append(peer.octets(size))
                if not recipients:
                    peer.say("554 5.5.1 no valid recipients\r\n")
                elif not last:
                    peer.say("250 2.0.0 chunk\r\n")
                elif not act("dot", b"".join(chunks)):
                    take(b"".join(chunks))
                    peer.say("250 2.0.0 taken\r\n")
                if last:
                    sender, recipients, chunks = None, [], []
            elif verb == b"RSET":
                sender, recipients, chunks = None, [], []
                if not act("rset", argument):
                    peer.say("250 2.0.0 ok\r\n")
            elif verb == b"NOOP":
                peer.say("250 2.0.0 ok\r\n")
            elif verb == b"QUIT":
                peer.leave()
                if not act("quit", argument):
                    peer.say("221 2.0.0 bye\r\n")
                peer.close()
            else:
                peer.say("500 5.5.2 what?\r\n")
