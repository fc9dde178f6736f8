# SPDX-License-Identifier: Apache-2.0
"""Servers whose connections change hands. Usage: lifecycle.py MODE PORT. Each answer carries X-Pid, the process that wrote it."""
import array
import os
import signal
import socket
import subprocess
import sys
import threading
import time

mode = sys.argv[1]


def read_request(s) -> str | None:
    """The path of the next request, or None at the end."""
    text = b""
    while b"\r\n\r\n" not in text:
        part = s.recv(4096)
        if not part:
            return None
        text += part
    return text.split(b" ", 2)[1].decode()


def answer(s):
    s.sendall(b"HTTP/1.1 200 OK\r\nX-Pid: %d\r\nContent-Length: 5\r\n\r\nhello" % os.getpid())


def serve(s):
    while read_request(s) is not None:
        answer(s)
    s.close()


def listen():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[2])))
    listener.listen(128)
    return listener


def connections():
    listener = listen()
    while True:
        yield listener.accept()[0]


def detached(function, *arguments):
    """A child that nobody waits for."""
    if os.fork() == 0:
        function(*arguments)
        os._exit(0)


def fork_after_accept():
    for s in connections():
        detached(serve, s)
        s.close()


def fork_after_head():
    """The parent reads the head, a child answers it, each time another."""
    def handle(s):
        while read_request(s) is not None:
            child = os.fork()
            if child == 0:
                answer(s)
                os._exit(0)
            os.waitpid(child, 0)
    for s in connections():
        threading.Thread(target=handle, args=(s,), daemon=True).start()


def pass_fd():
    """One process accepts, another one, that was there before, serves."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.fork() == 0:
        here.close()
        while True:
            _, control, *_ = there.recvmsg(1, socket.CMSG_SPACE(4))
            fd = array.array("i", control[0][2][:4])[0]
            threading.Thread(target=serve, args=(socket.socket(fileno=fd),), daemon=True).start()
    there.close()
    for s in connections():
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
        s.close()


def dup():
    """Reads on one descriptor, writes on another that was duplicated; the first is closed and its number used anew."""
    def handle(s):
        while read_request(s) is not None:
            copy = s.dup()
            s.close()
            other = socket.socket()  # takes the number
            answer(copy)
            s = copy
            other.close()
    for s in connections():
        threading.Thread(target=handle, args=(s,), daemon=True).start()


def close_elsewhere():
    """Another thread answers and closes while the first still waits in recv."""
    def handle(s):
        if read_request(s) is None:
            return

        def end():
            time.sleep(0.002)
            s.sendall(b"HTTP/1.1 200 OK\r\nX-Pid: %d\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello" % os.getpid())
            s.shutdown(socket.SHUT_RDWR)
            os.close(s.detach())
        other = threading.Thread(target=end)
        other.start()
        s.recv(10)
        other.join()
    for s in connections():
        threading.Thread(target=handle, args=(s,), daemon=True).start()


def exec_with_socket():
    """Reads the head, then becomes another program that answers on the inherited socket."""
    def become(s):
        if read_request(s) is not None:
            s.set_inheritable(True)
            os.execv(sys.executable, [sys.executable, "-S", __file__, "inherited", str(s.fileno())])
    for s in connections():
        detached(become, s)
        s.close()


def inherited():
    s = socket.socket(fileno=int(sys.argv[2]))
    answer(s)
    serve(s)


def inetd():
    """Each connection is stdin and stdout of a program of its own."""
    for s in connections():
        subprocess.Popen([sys.executable, "-S", __file__, "stdio", "0"], stdin=s, stdout=s)
        s.close()


def stdio():
    serve(socket.socket(fileno=0))


def exit_in_request():
    """A child serves each connection; it vanishes when the path says so."""
    def handle(s):
        while path := read_request(s):
            if "/die" in path:
                os.kill(os.getpid(), signal.SIGKILL)
            if "/quit" in path:
                os._exit(3)
            answer(s)
    for s in connections():
        detached(handle, s)
        s.close()


def late_child():
    """Starts its server, another program, only when it is told to."""
    print("waiting", flush=True)
    sys.stdin.readline()
    subprocess.Popen([sys.executable, "-S", __file__, "fork_after_accept", sys.argv[2]]).wait()


def plain():
    for s in connections():
        threading.Thread(target=serve, args=(s,), daemon=True).start()


if mode != "late_child":
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if mode in ("fork_after_head",) else signal.SIG_IGN)
globals()[mode]()
