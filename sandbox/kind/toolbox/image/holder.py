"""Holds the terminals of a container while nobody is connected: `holder.py SOCKET [HOME LIMIT_BYTES]`.

The platform comes and goes (a restart, a kill -9); shells and what runs in them stay here, and what they write meanwhile is
kept, so that whoever comes back gets every byte from where it was. One connection to SOCKET is one look at one terminal; the
last one who comes has it. Frames in both directions: one byte of kind, four of length (big-endian), then the payload.

  to here    O {"id", "cols", "rows", "seq", "argv", "env", "cwd"}   first: attach, or start when there is none of that id
             I bytes: typed      R {"cols", "rows"}      K destroy the terminal and all that runs in it
  from here  S {"fresh": bool, "seq": offset of the first byte that follows, "beat": s}      D bytes      X {"code", "signal"}
             B nothing: at least every `beat` seconds something is said, so that silence is a broken connection

As the first process of its container it also buries orphans, and keeps HOME within LIMIT_BYTES by killing everything.
"""

import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import termios
import time

KEPT = 1 << 20
BACKLOG = 256 << 10
FRAME_LIMIT = 1 << 20
EXITED_KEPT = 32
GRACE_S = 0.5
LOOK_S = 5.0
BEAT_S = 3.0
FILE_LIMIT = 64 << 20


class Terminal:
    def __init__(self, name, request, limited):
        self.name = name
        self.kept = bytearray()
        self.start = 0
        self.client = None
        self.exit = None
        self.doomed_at = None
        self.typed = bytearray()
        master, slave = os.openpty()
        resize(master, request)
        self.pid = os.fork()
        if self.pid == 0:
            become(slave, request, limited)
        os.close(slave)
        os.set_blocking(master, False)
        self.master = master

    @property
    def end(self):
        return self.start + len(self.kept)

    def keep(self, data):
        self.kept += data
        if len(self.kept) > 2 * KEPT:
            drop = len(self.kept) - KEPT
            del self.kept[:drop]
            self.start += drop
        if self.client:
            self.client.send(b"D", data)

    def since(self, seq):
        """Offset and bytes from `seq` on, or from the first whole line that is still kept."""
        if seq > self.end:
            return self.end, b""
        if seq >= self.start:
            return seq, bytes(self.kept[seq - self.start :])
        line = self.kept.find(b"\n") + 1
        return self.start + line, bytes(self.kept[line:])

    def hang_up(self):
        if self.master is not None:
            os.close(self.master)
            self.master = None


class Client:
    def __init__(self, connection):
        connection.setblocking(False)
        self.connection = connection
        self.received = bytearray()
        self.pending = bytearray()
        self.terminal = None
        self.told_at = time.monotonic()

    def send(self, kind, payload):
        self.pending += kind + struct.pack(">I", len(payload)) + payload
        self.told_at = time.monotonic()

    def tell(self, kind, value):
        self.send(kind, json.dumps(value).encode())

    def frames(self):
        while len(self.received) >= 5:
            (length,) = struct.unpack(">I", self.received[1:5])
            if length > FRAME_LIMIT:
                raise ValueError("frame too long")
            if len(self.received) < 5 + length:
                return
            kind, payload = bytes(self.received[:1]), bytes(self.received[5 : 5 + length])
            del self.received[: 5 + length]
            yield kind, payload


class Holder:
    def __init__(self, path, home, limit):
        self.terminals = {}
        self.clients = set()
        self.home = home
        self.limit = limit
        self.looked_at = time.monotonic()
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(16)
        self.listener.setblocking(False)
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))

    def serve(self):
        while True:
            reading = [self.listener, self.woken]
            writing = []
            of = {}
            for client in self.clients:
                of[client.connection] = client
                reading.append(client.connection)
                if client.pending:
                    writing.append(client.connection)
            for terminal in self.terminals.values():
                if terminal.master is None:
                    continue
                of[terminal.master] = terminal
                if not terminal.client or len(terminal.client.pending) < BACKLOG:
                    reading.append(terminal.master)
                if terminal.typed:
                    writing.append(terminal.master)
            readable, writable, _ = select.select(reading, writing, [], self.patience())
            for ready in readable:
                if ready is self.listener:
                    self.accept()
                elif ready == self.woken:
                    drain(self.woken)
                elif isinstance(of[ready], Terminal):
                    self.read_terminal(of[ready])
                else:
                    self.read_client(of[ready])
            for ready in writable:
                if isinstance(of[ready], Terminal):
                    self.write_terminal(of[ready])
                else:
                    self.write_client(of[ready])
            self.bury()
            self.finish_doomed()
            self.look_at_home()
            self.beat()

    def patience(self):
        if any(terminal.doomed_at for terminal in self.terminals.values()):
            return GRACE_S / 4
        if self.clients:
            return BEAT_S / 2
        return LOOK_S if self.limit else None

    def accept(self):
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return
        self.clients.add(Client(connection))

    def read_client(self, client):
        try:
            data = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.leave(client)
            return
        client.received += data
        try:
            for kind, payload in client.frames():
                self.obey(client, kind, payload)
        except (ValueError, KeyError, TypeError):
            self.leave(client)

    def write_client(self, client):
        if client not in self.clients:
            return
        try:
            sent = client.connection.send(client.pending[:65536])
            del client.pending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.leave(client)

    def leave(self, client):
        self.clients.discard(client)
        client.connection.close()
        if client.terminal and client.terminal.client is client:
            client.terminal.client = None

    def obey(self, client, kind, payload):
        if kind == b"O":
            self.open(client, json.loads(payload))
            return
        terminal = client.terminal
        if not terminal:
            raise ValueError("not open")
        if kind == b"I":
            terminal.typed += payload
        elif kind == b"R" and terminal.master is not None:
            resize(terminal.master, json.loads(payload))
        elif kind == b"K":
            self.destroy(terminal)

    def open(self, client, request):
        name = request["id"]
        terminal = self.terminals.get(name)
        fresh = terminal is None
        if fresh:
            terminal = self.terminals[name] = Terminal(name, request, bool(self.limit))
        if terminal.client:
            self.leave(terminal.client)
        client.terminal = terminal
        terminal.client = client
        seq, data = terminal.since(0 if fresh else int(request["seq"]))
        client.tell(b"S", {"fresh": fresh, "seq": seq, "beat": BEAT_S})
        for at in range(0, len(data), 65536):
            client.send(b"D", data[at : at + 65536])
        if terminal.exit:
            client.tell(b"X", terminal.exit)

    def read_terminal(self, terminal):
        if terminal.master is None:
            return
        try:
            data = os.read(terminal.master, 65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        if data:
            terminal.keep(data)
        else:
            terminal.hang_up()

    def write_terminal(self, terminal):
        if terminal.master is None:
            terminal.typed.clear()
            return
        try:
            written = os.write(terminal.master, terminal.typed[:4096])
            del terminal.typed[:written]
        except BlockingIOError:
            pass
        except OSError:
            terminal.typed.clear()

    def bury(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for terminal in self.terminals.values():
                if terminal.pid == pid:
                    self.ended(terminal, os.waitstatus_to_exitcode(status))

    def ended(self, terminal, code):
        # what the shell wrote last may still lie in the pty
        while terminal.master is not None and select.select([terminal.master], [], [], 0)[0]:
            before = terminal.end
            self.read_terminal(terminal)
            if terminal.end == before:
                break
        terminal.hang_up()
        terminal.exit = {"code": code} if code >= 0 else {"code": 128 - code, "signal": -code}
        if terminal.client:
            terminal.client.tell(b"X", terminal.exit)
        over = [one.name for one in self.terminals.values() if one.exit]
        for name in over[:-EXITED_KEPT]:
            del self.terminals[name]

    def destroy(self, terminal):
        terminal.hang_up()
        if terminal.exit:
            self.terminals.pop(terminal.name, None)
        elif not terminal.doomed_at:
            kill_session(terminal.pid, signal.SIGHUP)
            terminal.doomed_at = time.monotonic() + GRACE_S

    def finish_doomed(self):
        now = time.monotonic()
        for terminal in [one for one in self.terminals.values() if one.doomed_at and (one.exit or one.doomed_at <= now)]:
            kill_session(terminal.pid, signal.SIGKILL)
            if terminal.exit:
                del self.terminals[terminal.name]
                if terminal.client:
                    self.write_client(terminal.client)

    def beat(self):
        """What is still on its way to a client is a sign of life too."""
        now = time.monotonic()
        for client in self.clients:
            if client.terminal and not client.pending and now - client.told_at >= BEAT_S / 2:
                client.send(b"B", b"")

    def look_at_home(self):
        if not self.limit or time.monotonic() - self.looked_at < LOOK_S:
            return
        if size_of(self.home, self.limit) > self.limit:
            spared = {os.getpid(), *(peer_of(client.connection) for client in self.clients)}
            for pid in pids():
                if pid not in spared:
                    kill(pid, signal.SIGKILL)
            said = f"\r\n\x1b[2m— all processes were killed: the home folder may hold {self.limit >> 20} MiB; remove some files —\x1b[0m\r\n"
            for terminal in self.terminals.values():
                terminal.keep(said.encode())
        self.looked_at = time.monotonic()


def become(slave, request, limited):
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(slave, descriptor)
        os.closerange(3, 4096)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        # when memory runs out, this program is the last to go
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
        os.chdir(request["cwd"])
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except BaseException as error:
        os.write(2, f"{request['argv'][0]}: {error}\r\n".encode())
    os._exit(127)


def resize(master, size):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", int(size["rows"]), int(size["cols"]), 0, 0))


def drain(descriptor):
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        pass


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_session(leader, number):
    for pid in pids():
        try:
            if os.getsid(pid) == leader:
                kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def peer_of(connection):
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid


def size_of(folder, enough):
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                pass
        if total > enough:
            break
    return total


if __name__ == "__main__":
    Holder(sys.argv[1], sys.argv[2] if len(sys.argv) > 3 else None, int(sys.argv[3]) if len(sys.argv) > 3 else 0).serve()
