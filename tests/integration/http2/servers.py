# SPDX-License-Identifier: Apache-2.0
"""Web servers that speak HTTP/2 without TLS: nghttpd, nginx (also in front of gRPC), Apache, which can be upgraded to it. All serve the same small files."""
import time
from dataclasses import dataclass
from pathlib import Path

from harness.case import need
from harness.env import seconds, tool
from harness.process import Process, free_port

BODY = "a small file\n"
NGINX = """
daemon off; worker_processes 2; pid {work}/nginx.pid; error_log {work}/nginx-error.log warn; user root;
events {{ worker_connections 2048; }}
http {{
  log_format context '$uri $http_traceparent'; access_log {log};
  client_body_temp_path {work}/nb; proxy_temp_path {work}/np; fastcgi_temp_path {work}/nf; uwsgi_temp_path {work}/nu; scgi_temp_path {work}/ns;
  upstream back {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} http2; keepalive_requests 1000000; http2_max_concurrent_streams 256; client_max_body_size 100m;
    location /f/ {{ root {work}; }}
    location / {{ grpc_pass grpc://back; }}
  }}
}}
"""
APACHE = """
ServerRoot {work}
PidFile {work}/pid
ErrorLog {work}/error.log
ServerName bed.test
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule http2_module {modules}/mod_http2.so
Protocols h2c http/1.1
H2Upgrade on
DocumentRoot {work}
<Directory {work}>
  Require all granted
</Directory>
User www-data
Group www-data
"""


@dataclass
class Server:
    process: Process
    port: int
    size: int = len(BODY)


def files(ctx, name: str, paths: list) -> Path:
    """A directory with a small file for each path."""
    work = ctx.dir(name)
    work.chmod(0o755)
    (work / "f").mkdir()
    for path in paths:
        (work / path[1:]).write_text(BODY)
    return work


def nghttpd(ctx, paths: list) -> Server:
    need(tool("nghttpd"), "nghttpd is not installed")
    port = free_port()
    process = Process(ctx, "nghttpd", [tool("nghttpd"), "--no-tls", "-a", "127.0.0.1", "-d", files(ctx, "nghttpd", paths), port])
    process.wait_port(port)
    return Server(process, port)


def nginx(ctx, paths: list, upstream: int = 9, log: str = "off") -> Server:
    """`log`: a file that gets a line for each request, its path and its traceparent."""
    need(tool("nginx"), "nginx is not installed")
    work, port = files(ctx, "nginx", paths), free_port()
    (work / "nginx.conf").write_text(NGINX.format(work=work, port=port, upstream=upstream, log=log if log == "off" else f"{log} context"))
    process = Process(ctx, "nginx", [tool("nginx"), "-p", work, "-e", work / "nginx-error.log", "-c", work / "nginx.conf"])
    process.wait_port(port)
    end = time.monotonic() + seconds(10)
    while len(process.tree()) <= 2 and time.monotonic() < end:
        time.sleep(0.01)  # it listens before it forks
    return Server(process, port)


def apache(ctx, paths: list) -> Server:
    modules = Path("/usr/lib/apache2/modules")
    need(tool("apache2") and (modules / "mod_http2.so").exists(), "Apache with mod_http2 is not installed")
    work, port = files(ctx, "apache", paths), free_port()
    ctx.work.chmod(0o755)  # Debian's Apache will not run its workers as root
    (work / "conf").write_text(APACHE.format(work=work, port=port, modules=modules))
    process = Process(ctx, "apache", [tool("apache2"), "-f", work / "conf", "-DFOREGROUND"], env={"APACHE_RUN_DIR": str(work)})
    process.wait_port(port)
    time.sleep(seconds(0.3))  # its workers
    return Server(process, port)
