# SPDX-License-Identifier: Apache-2.0
"""nginx: a fixed answer (/r/), files by sendfile (/f/), a proxy (/p/), two workers; `tls`: a Certificate, then over HTTPS."""
import time

from harness.case import need
from harness.env import seconds, tool
from harness.process import Process, free_port
from . import PLAIN, Server

CONFIG = """
daemon off; worker_processes {workers}; pid {work}/nginx.pid; error_log {work}/nginx-error.log warn;
{user}
events {{ worker_connections 2048; }}
http {{
  log_format truth '$request_method $uri $status $pid';
  access_log {access}; client_body_temp_path {work}/nb; proxy_temp_path {work}/np; fastcgi_temp_path {work}/nf;
  uwsgi_temp_path {work}/nu; scgi_temp_path {work}/ns;
  keepalive_requests 1000000; sendfile on; tcp_nopush on;
  upstream back {{ server 127.0.0.1:{upstream}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port}{tls};
    add_header X-Pid $pid always;
    location /r/ {{ return 200 "hello from nginx\\n"; }}
    location /e/ {{ return 503 "no\\n"; }}
    location /f/ {{ root {work}; rewrite ^ /file.bin break; }}
    location /s/ {{ root {work}; rewrite ^ /small.txt break; }}
    location /p/ {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location / {{ return 404; }}
  }}
}}
"""


def start(ctx, workers: int = 2, upstream: int = 9, access_log: bool = False, tls=None, listen: str = "") -> Server:
    need(tool("nginx"), "nginx is not installed")
    work, port = ctx.dir("nginx"), free_port()
    work.chmod(0o755)
    (work / "file.bin").write_bytes(bytes(range(256)) * 400)
    (work / "small.txt").write_text("a small file\n")
    (work / "nginx.conf").write_text(CONFIG.format(work=work, port=port, workers=workers, upstream=upstream, user="user root;",
                                                   access=f"{work}/access.log truth" if access_log else "off",
                                                   tls=tls.nginx() if tls else listen))
    process = Process(ctx, "nginx", [tool("nginx"), "-p", work, "-e", work / "nginx-error.log", "-c", work / "nginx.conf"])
    process.wait_port(port)
    end = time.monotonic() + seconds(10)
    while len(process.tree()) <= workers and time.monotonic() < end:
        time.sleep(0.01)  # it listens before it forks
    server = Server(process, port, {**PLAIN, **(tls.load if tls else {})})
    server.work = work
    return server
